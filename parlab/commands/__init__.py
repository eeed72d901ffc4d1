"""What each command does: between its typed arguments and its exit code."""

"""The work of each command, between its parsed arguments and its exit code."""

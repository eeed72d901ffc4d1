"""The terminal's output, during a run and after it."""

"""Analysis of spans alone: the ideal schedule, and the breakdown of the time."""

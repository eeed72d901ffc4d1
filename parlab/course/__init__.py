"""The labs there are, and their handouts as text."""

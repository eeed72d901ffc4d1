"""The record of a run: written, read, found, and turned into other formats."""

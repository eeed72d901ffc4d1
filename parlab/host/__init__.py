"""This machine: what is installed, where files lie, signals, one command at a time per cluster."""

"""This machine: installed packages, places of files, signals, one command at a time per cluster."""

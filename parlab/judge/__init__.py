"""The verdict: four answers about a run, and whether the host was quiet."""

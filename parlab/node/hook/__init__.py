"""A start-up hook: the folder stands in the PYTHONPATH of programs."""

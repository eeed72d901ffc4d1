"""A start-up hook: this folder is in the PYTHONPATH of programs."""

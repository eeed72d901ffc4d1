"""Identifies the running kernel of a process."""

from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """An id that distinguishes running kernels, and so their monotonic clocks; '' if there is no such file."""
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""

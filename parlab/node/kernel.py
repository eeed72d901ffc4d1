"""Which running kernel a process is under."""

from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """What tells one running kernel from another, and so one monotonic clock; '' where there is no such file."""
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""

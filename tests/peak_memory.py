"""The memory of this process at its highest, in KiB.

Not ``ru_maxrss``: a child begins with that of the process that started it, and a process never forgets it, so that under a large
suite it measures nothing.
"""

from pathlib import Path


def reset() -> int:
    """Measure from here on; returns what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def highest() -> int:
    return _status("VmHWM")


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))

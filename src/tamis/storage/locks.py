"""One writer per folder: a second process waits until the first has ended, however it ended."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold ``folder`` alone; the operating system releases it when the process dies, killed or not."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.warning("%s is being written by another process; waiting for it", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()

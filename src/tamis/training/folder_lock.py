"""One writer per folder: a second process waits until the first has ended, however it ended."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold ``folder`` alone; the operating system releases it when the process dies, killed or not."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.warning("%s is being written by another process; waiting for it", folder)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

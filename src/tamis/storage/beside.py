"""Files that are whole or absent: written beside their place, flushed to the disk, then renamed into it.

A process killed at any moment leaves the old file or the new one, and perhaps a hidden ``.NAME.PID-THREAD.part``.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """Give a path to write to; rename it to ``path`` when the block ends well, remove it when it raises.

    Parameters
    ----------
    path : str or Path
        Folders above it are made. A symbolic link stays, and the file that it names is replaced.

    Yields
    ------
    Path of a file that does not exist yet, in the same folder, whose name does *not* end as ``path`` does: tell a
    library that goes by the ending which kind of file it writes.

    Examples
    --------
    >>> with written_beside("metrics.json") as part:  # doctest: +SKIP
    ...     part.write_text("{}")
    """
    place = Path(os.path.realpath(path))
    with part_for(place) as part:
        yield part
        publish(part, place)


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 file, whole or not at all; line ends stay as they are in ``text``."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    with written_beside(path) as part:
        part.write_bytes(content)


def remove_leftovers(folder: Path, *, older_than_s: float = 0.0) -> None:
    """Delete what killed processes were writing below ``folder``.

    Parameters
    ----------
    older_than_s : float
        Seconds since the last write. 0 is for the one who holds the folder alone (:func:`folder_lock`); others must leave
        young parts to the writers that may still live.
    """
    for path in folder.rglob(".*.part"):
        if older_than_s == 0 or time.time() - path.stat().st_mtime > older_than_s:
            path.unlink(missing_ok=True)


@contextmanager
def part_for(place: Path) -> Iterator[Path]:
    """Give a name beside ``place`` that no other process or thread writes to; remove what is left there at the end."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.{os.getpid()}-{threading.get_native_id()}.part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def publish(part: Path, place: Path) -> None:
    """Rename a written file into its place once its bytes, and then its name, are on the disk."""
    _flush(part)
    part.replace(place)
    _flush(place.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Text files a block of whole lines at a time, compressed or not."""

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

COMPRESSED = {".gz": b"\x1f\x8b", ".bz2": b"BZh"}  # ending, and what such a file begins with
_OPENERS: dict[str, Callable[[IO[bytes]], Any]] = {".gz": gzip.open, ".bz2": bz2.open}
_BLOCK = 2**19
_LONGEST_LINE = 2**20


@contextmanager
def opened(call: str, path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, decompressed if it begins as gzip or bzip2 does, whatever its name says.

    Raises
    ------
    OSError      if it cannot be read.
    ValueError   starting with ``call``, if what was compressed is cut off or damaged.
    """
    with path.open("rb") as raw:
        start = raw.peek(3)
        ending = next((ending for ending, magic in COMPRESSED.items() if start.startswith(magic)), None)
        if ending is None:
            yield raw
            return
        try:
            with _OPENERS[ending](raw) as file:
                yield file
        except (EOFError, zlib.error, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise
            raise ValueError(
                f"{call}: the compressed file ({ending}) is damaged or cut off: {error}."
            ) from None


def next_line(call: str, file: IO[bytes]) -> bytes:
    """The next line with its end; empty at the end of the file."""
    line = file.readline(_LONGEST_LINE)
    if len(line) == _LONGEST_LINE:
        raise ValueError(f"{call}: a line of more than {_LONGEST_LINE} bytes: this is no text of numbers.")
    return line


def blocks_of_lines(call: str, file: IO[bytes]) -> Iterator[bytes]:
    """The rest of the file, cut behind line ends."""
    while block := file.read(_BLOCK):
        yield block + next_line(call, file)

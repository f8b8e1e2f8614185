"""What may be given as a recording: a path, bytes, a file object, a pipe; and the recordings in a folder."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import IO, Any

from tamis.emotion.signal.sound import AudioError
from tamis.storage import files_below

HELD_BYTES = 2**24
"""Streams and long recordings are kept in memory up to this size, and on disk from there on."""
DECODED = {
    ".wav",
    ".wave",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".mp3",
    ".aif",
    ".aiff",
    ".aifc",
    ".au",
    ".snd",
    ".caf",
    ".w64",
    ".rf64",
    ".sph",
    ".nist",
    ".voc",
}
NOT_DECODED = {".m4a", ".mp4", ".aac", ".wma", ".webm", ".mkv", ".mov", ".amr", ".3gp"}
SUFFIXES = DECODED | NOT_DECODED
"""What counts as a recording in a folder. Those that libsndfile does not decode are listed too: they shall be errors, not missing."""

File = bytes | IO[bytes]
"""The path of a file, as the system spells it, or an open file."""


def printable(path: str | os.PathLike[str]) -> str:
    """A path as text, also where its name is no valid UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_file_like(audio: object) -> bool:
    """Whether ``audio`` is the encoded content of a recording, or says where that is (and no array)."""
    return isinstance(audio, (str, os.PathLike, bytes, bytearray)) or hasattr(audio, "read")


def open_input(audio: Any) -> tuple[str, File]:
    """Name of the recording, and a path or a file that can be read from its start as often as wanted.

    Raises
    ------
    FileNotFoundError, IsADirectoryError   for a path that leads to no file.
    AudioError                             for a device, a file opened as text, or a stream at its end.
    """
    if isinstance(audio, (bytes, bytearray)):
        return "bytes", io.BytesIO(audio)
    if hasattr(audio, "read"):
        name = getattr(audio, "name", None)
        source = printable(name) if isinstance(name, (str, os.PathLike)) else "stream"
        return source, held(audio, source)
    return printable(audio), open_path(Path(audio))


def open_path(path: Path) -> File:
    source = printable(path)
    if not path.exists():
        hint = (
            " A file on the web must be downloaded first." if "://" in str(path) or ":/" in str(path) else ""
        )
        raise FileNotFoundError(f"read_audio: there is no file {source}.{hint}")
    if path.is_dir():
        raise IsADirectoryError(
            f"read_audio: there is no file {source}, it is a folder; find_recordings(folder) lists those in it."
        )
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return os.fsencode(path)
    if not stat.S_ISFIFO(mode):
        raise AudioError(f"read_audio({source}): a device or a socket; expected a file or a pipe.")
    with path.open("rb") as pipe:
        return held(pipe, source)


def held(stream: Any, source: str) -> IO[bytes]:
    """A copy of what a stream still holds."""
    if isinstance(stream, io.TextIOBase):
        raise AudioError(
            f"read_audio({source}): it was opened as text; open it with mode 'rb' (standard input: sys.stdin.buffer)."
        )
    copy = tempfile.SpooledTemporaryFile(HELD_BYTES)  # noqa: SIM115, closed when nothing refers to it
    shutil.copyfileobj(stream, copy)
    if copy.tell() == 0 and position(stream) > 0:
        raise AudioError(f"read_audio({source}): the stream is at its end; call seek(0) on it first.")
    copy.seek(0)
    return copy


def position(stream: Any) -> int:
    try:
        return int(stream.tell())
    except (AttributeError, OSError):  # a pipe
        return 0


def find_recordings(folder: str | os.PathLike[str]) -> list[Path]:
    """All recordings below a folder, by their endings, sorted; hidden files are left out, links are followed.

    Raises
    ------
    FileNotFoundError   if there is no such folder, or no recording in it.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"find_recordings: there is no folder {printable(folder)}.")
    found = [path for path in files_below(Path(folder)) if path.suffix.lower() in SUFFIXES]
    if not found:
        raise FileNotFoundError(f"find_recordings: there are no recordings in {printable(folder)}.")
    return found

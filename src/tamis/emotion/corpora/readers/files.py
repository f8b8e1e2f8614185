"""Finding files of a corpus, the same way everywhere: sorted, with a clear word when the folder is the wrong one."""

from __future__ import annotations

import filecmp
from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from tamis.storage import files_below

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
"""Of several formats of one recording the first is read."""


def corpus_folder(folder: str | Path, corpus: str) -> Path:
    """``folder`` as a Path, or an error that says that it is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"corpus {corpus!r}: there is no folder {folder}.")
    return folder


def audio_files(folder: Path, corpus: str) -> tuple[list[Path], list[str]]:
    """Audio files below ``folder``, one for each name without suffix, sorted by path; and a note on those left out.

    Raises
    ------
    ValueError   if two files of one name and format have different content.
    """
    named: dict[str, list[Path]] = defaultdict(list)
    for path in files_below(folder):
        if path.suffix.lower() in AUDIO_SUFFIXES:
            named[path.stem].append(path)
    chosen, copies, formats = [], 0, 0
    for paths in named.values():
        paths.sort(key=lambda p: AUDIO_SUFFIXES.index(p.suffix.lower()))  # stable: by path within a format
        first, *others = paths
        chosen.append(first)
        for other in others:
            if other.suffix.lower() != first.suffix.lower():
                formats += 1
            elif filecmp.cmp(first, other, shallow=False):
                copies += 1
            else:
                raise ValueError(
                    f"corpus {corpus!r}: {first.relative_to(folder)} and {other.relative_to(folder)} have one name and "
                    "different content; name the folder that holds the recordings which are meant."
                )
    notes = []
    if copies:
        notes.append(f"{copies} copies of recordings left out: the same files stand in two folders")
    if formats:
        notes.append(f"{formats} recordings in a second format left out")
    return sorted(chosen), notes


def by_stem(folder: Path, corpus: str) -> tuple[dict[str, str], list[str]]:
    """Audio files below ``folder``: name without suffix -> path relative to ``folder``; and a note on those left out."""
    files, notes = audio_files(folder, corpus)
    return {path.stem: path.relative_to(folder).as_posix() for path in files}, notes


def find_one(folder: Path, corpus: str, *names: str) -> Path:
    """The file of one of ``names`` (globs, tried in order, case does not matter) that lies least deep below ``folder``.

    Raises
    ------
    FileNotFoundError   if there is none; the message lists what was looked for.
    ValueError          if there are several, equally deep, with different content.
    """
    if found := find_any(folder, corpus, *names):
        return found
    raise FileNotFoundError(f"corpus {corpus!r}: found none of {', '.join(names)} under {folder}.")


def find_any(folder: Path, corpus: str, *names: str) -> Path | None:
    """:func:`find_one`, or None where there is none."""
    files = files_below(folder)
    for name in names:
        found = [path for path in files if fnmatch(path.name.lower(), name.lower())]
        if found:
            depth = min(len(path.parts) for path in found)
            return the_only(folder, corpus, [path for path in found if len(path.parts) == depth])
    return None


def the_only(folder: Path, corpus: str, found: Iterable[Path]) -> Path:
    first, *others = found
    for other in others:
        if not filecmp.cmp(first, other, shallow=False):
            raise ValueError(
                f"corpus {corpus!r}: {first.relative_to(folder)} and {other.relative_to(folder)} differ; name the folder of "
                "the one that is meant."
            )
    return first

"""Finding files of a corpus, the same way everywhere: sorted, with a clear word when the folder is the wrong one."""

from __future__ import annotations

from pathlib import Path

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


def corpus_folder(folder: str | Path, corpus: str) -> Path:
    """``folder`` as a Path, or an error that says that it is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"corpus {corpus!r}: there is no folder {folder}.")
    return folder


def audio_files(folder: Path) -> list[Path]:
    """All audio files below ``folder``, sorted by path; hidden files (such as macOS's ``._x.wav``) left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")
    )


def find_one(folder: Path, corpus: str, *names: str) -> Path:
    """The first of ``names`` (globs, tried in order) that exists below ``folder``.

    Raises
    ------
    FileNotFoundError   if none does; the message lists what was looked for.
    """
    for name in names:
        if found := sorted(folder.rglob(name)):
            return found[0]
    raise FileNotFoundError(f"corpus {corpus!r}: found none of {', '.join(names)} under {folder}.")


def by_stem(folder: Path) -> dict[str, str]:
    """Audio files below ``folder``: name without suffix -> path relative to ``folder``."""
    return {path.stem: path.relative_to(folder).as_posix() for path in audio_files(folder)}

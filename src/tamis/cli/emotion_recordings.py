"""``tamis emotion predict``: which recordings are meant, where their timelines go, how their results are written."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import typer
from rich.console import Console

if TYPE_CHECKING:
    from tamis.emotion.predict import EmotionResult

STANDARD_INPUT = Path("-")


def list_recordings(files: Sequence[Path]) -> list[Path | IO[bytes]]:
    """The recordings meant: files and pipes as they are, those below a folder, standard input for ``-``."""
    from tamis.emotion.signal import find_recordings

    found: list[Path | IO[bytes]] = []
    for path in files:
        if path == STANDARD_INPUT:
            found.append(sys.stdin.buffer)
        else:
            found += find_recordings(path) if path.is_dir() else [path]
    return found


def plot_paths(recordings: Sequence[Path | IO[bytes]], plot: Path) -> list[Path]:
    """Where the timeline of each recording goes: ``plot`` itself, or a page of its own in that folder.

    Pages lie in the folder as the recordings lie below the folder that they share, and keep their whole name, so that none
    overwrites another.
    """
    if len(recordings) == 1 and not plot.is_dir():
        return [plot]
    full = [os.path.abspath(r) if isinstance(r, Path) else "" for r in recordings]
    shared = os.path.commonpath([os.path.dirname(path) for path in full if path] or ["/"])
    names = [os.path.relpath(path, shared) if path else "stdin" for path in full]
    return [plot / f"{name}.html" for name in names]


def writer(as_json: bool, as_csv: bool, categories: tuple[str, ...]) -> Callable[[EmotionResult], None]:
    """What is done with each result: print it for people, as JSON lines, or as CSV with one header."""
    if as_json:
        return lambda result: typer.echo(result.to_json())
    if as_csv:
        from tamis.emotion.predict import columns

        rows = csv.DictWriter(sys.stdout, columns(categories), restval="")
        rows.writeheader()
        return lambda result: rows.writerow(result.row())
    from tamis.emotion.predict import show

    console = Console()
    return lambda result: console.print(show(result))

"""Rows of any suite as CSV: one dataclass, one line per instance; a killed run goes on from the file."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from tamis.storage import write_text

R = TypeVar("R")


def columns(kind: type) -> tuple[str, ...]:
    """Names of the columns: the fields of the dataclass, in order."""
    return tuple(field.name for field in fields(kind))


def read(path: Path, kind: type[R]) -> list[R]:
    """Read a CSV of rows; an absent file has none. A last line that a killed writer tore is left out.

    Raises
    ------
    ValueError   naming file and line, if the columns are others or a number is none.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    lines = csv.reader(io.StringIO(whole, newline=""), strict=True)
    header = next(lines, None)
    if header is None:
        return []
    expected = columns(kind)
    if tuple(header) != expected:
        odd = sorted(set(header) ^ set(expected)) or ["their order"]
        raise ValueError(
            f"{path}: line 1: columns differ from this version's ({', '.join(odd[:6])}). Use a new file."
        )
    hints = get_type_hints(kind)
    found = []
    for values in lines:
        try:
            pairs = zip(expected, values, strict=True)
            found.append(kind(**{name: _parse(value, hints[name]) for name, value in pairs}))
        except ValueError as error:
            raise ValueError(f"{path}: line {lines.line_num}: {error}") from None
    return found


def append(path: Path, kind: type[R], rows: Iterable[R]) -> None:
    """Add the rows of one cell in a single write, so that a kill between cells leaves whole cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists() or path.stat().st_size == 0
    with path.open("ab", buffering=0) as file:
        file.write(_format(kind, rows, header=is_new).encode())
        os.fsync(file.fileno())


def replace(path: Path, kind: type[R], rows: Iterable[R]) -> None:
    """Write all rows beside the file, then rename."""
    write_text(path, _format(kind, rows, header=True))


def _format(kind: type, rows: Iterable[Any], *, header: bool) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(columns(kind))
    for row in rows:
        writer.writerow(_show(value) for value in asdict(row).values())
    return text.getvalue()


def _show(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())


def _parse(text: str, hint: object) -> object:
    if hint is str:
        return text
    if text == "" and hint in (int | None, float | None):
        return None
    return int(text) if hint in (int, int | None) else float(text)

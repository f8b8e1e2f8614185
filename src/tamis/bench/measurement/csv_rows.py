"""Rows of any suite as CSV: one dataclass, one line per instance; a killed run goes on from the file.

A published file may be trimmed: it holds fewer columns, and what all its rows share (the machine, the versions) stands once, in
lines ``# column = value`` before the header. Such a file is read, but not added to.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from tamis.storage import write_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")


def columns(kind: type) -> tuple[str, ...]:
    """Names of the columns: the fields of the dataclass, in order."""
    return tuple(field.name for field in fields(kind))


def read(path: Path, kind: type[R]) -> list[R]:
    """Read a CSV of rows; an absent file has none. A last line that a killed writer tore is left out.

    Columns may stand in any order, and those that have a default in ``kind`` may be absent.

    Raises
    ------
    ValueError   naming file and line, if there are other columns, one without a default is absent, or a number is none.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    shared, lines = _parts(text[: text.rfind("\n") + 1])
    header = next(lines, None)
    if header is None:
        return []
    _check_columns(path, (*shared, *header), kind)
    hints = get_type_hints(kind)
    common = {name: _parse(value, hints[name]) for name, value in shared.items()}
    found = []
    for values in lines:
        try:
            pairs = zip(header, values, strict=True)
            found.append(kind(**common, **{name: _parse(value, hints[name]) for name, value in pairs}))
        except ValueError as error:
            raise ValueError(f"{path}: line {lines.line_num + len(shared)}: {error}") from None
    return found


def append(path: Path, kind: type[R], rows: Iterable[R]) -> None:
    """Add the rows of one cell in a single write, so that a kill between cells leaves whole cells.

    Raises
    ------
    ValueError   if the file there has other or fewer columns than ``kind``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists() or path.stat().st_size == 0
    order = columns(kind) if is_new else _whole_header(path, kind)
    with path.open("ab", buffering=0) as file:
        file.write(_format(order, (asdict(row) for row in rows), header=is_new).encode())
        os.fsync(file.fileno())


def check_can_append(path: Path, kind: type) -> None:
    """Raise what :func:`append` would raise, before anything is measured; an absent or empty file is fine."""
    if path.exists() and path.stat().st_size:
        _whole_header(path, kind)


def replace(path: Path, kind: type[R], rows: Iterable[R]) -> None:
    """Write all rows beside the file, then rename."""
    write_text(path, _format(columns(kind), (asdict(row) for row in rows), header=True))


def publish(path: Path, kind: type[R], rows: Sequence[R], kept: Sequence[str], shared: Sequence[str]) -> None:
    """Write a trimmed file: the columns ``kept``, four digits of every number, and the columns ``shared`` once.

    Raises
    ------
    ValueError   if rows differ in a column of ``shared``.
    """
    table = [{name: _four_digits(value) for name, value in asdict(row).items()} for row in rows]
    head = []
    for name in shared:
        values = {_show(row[name]) for row in table}
        if len(values) != 1:
            raise ValueError(f"publish({path}): rows differ in {name}: {', '.join(sorted(values))}.")
        head.append(f"# {name} = {values.pop()}\n")
    write_text(path, "".join(head) + _format(kept, table, header=True))


def _parts(text: str) -> tuple[dict[str, str], Any]:
    """The values that all rows share, and the lines below them."""
    shared: dict[str, str] = {}
    while text.startswith("# "):
        line, text = text[2:].split("\n", 1)
        name, _, value = line.partition(" = ")
        shared[name] = value
    return shared, csv.reader(io.StringIO(text, newline=""), strict=True)


def _check_columns(path: Path, found: Sequence[str], kind: type) -> None:
    required = {
        field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING
    }
    odd = set(found) - set(columns(kind)) | required - set(found) | {n for n in found if found.count(n) > 1}
    if odd:
        raise ValueError(
            f"{path}: line 1: columns differ from this version's ({', '.join(sorted(odd)[:6])}). Use a new file."
        )


def _whole_header(path: Path, kind: type) -> list[str]:
    """The columns of a file that rows may be added to, in its own order."""
    with path.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file, strict=True))
    odd = set(header) ^ set(columns(kind))
    if odd or len(header) != len(columns(kind)):
        raise ValueError(
            f"{path}: line 1: columns differ from this version's ({', '.join(sorted(odd)[:6])}). Use a new file."
        )
    return header


def _format(order: Sequence[str], rows: Iterable[Mapping[str, object]], *, header: bool) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(order)
    writer.writerows(_shown(order, rows))
    return text.getvalue()


def _shown(order: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[list[str]]:
    for row in rows:
        yield [_show(row[name]) for name in order]


def _four_digits(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


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

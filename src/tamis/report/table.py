"""One table: plain text when printed, HTML in a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Column:
    """A column: its name, a unit that stands below it, and whether it holds numbers (aligned right) or words (left)."""

    name: str
    unit: str = ""
    holds: Literal["numbers", "words"] = "numbers"


def words(name: str) -> Column:
    """A column of words."""
    return Column(name, holds="words")


@dataclass(frozen=True)
class Cell:
    """What a cell says, and how it sorts and looks in a page.

    Attributes
    ----------
    text : str
    value : float, optional
        The number to sort by, where the text is more than a number.
    shade : "" or "gain" or "loss"
        Background: green or red, as strong as ``strength`` (0..1).
    wrap : bool
        Long words on several lines.
    """

    text: str
    value: float | None = None
    shade: Literal["", "gain", "loss"] = ""
    strength: float = 0.0
    wrap: bool = False


@dataclass(frozen=True)
class Line:
    """A row of cells that stands out in a page: "best", "ruined" (pale) or "opponent" (tinted)."""

    cells: Sequence[str | Cell]
    kind: Literal["", "best", "ruined", "opponent"] = ""


@dataclass(frozen=True, init=False)
class Table:
    """Columns and rows; ``str()`` lays it out as plain text, a page as HTML that sorts by a click.

    Parameters
    ----------
    columns : sequence of str or Column
        A str is a column of numbers.
    rows : iterable of Line, or of sequences of str or Cell
        Each as long as ``columns``.
    caption : str

    Raises
    ------
    ValueError   if a row has another number of cells.
    """

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    caption: str = ""
    part: str = field(default="table", repr=False)

    def __init__(
        self,
        columns: Iterable[str | Column],
        rows: Iterable[Line | Sequence[str | Cell]],
        *,
        caption: str = "",
    ) -> None:
        made = tuple(Column(column) if isinstance(column, str) else column for column in columns)
        lines = tuple(_line(row) for row in rows)
        for number, line in enumerate(lines):
            if len(line.cells) != len(made):
                raise ValueError(
                    f"Table: row {number} has {len(line.cells)} cells, but there are {len(made)} columns."
                )
        object.__setattr__(self, "columns", made)
        object.__setattr__(self, "lines", lines)
        object.__setattr__(self, "caption", caption)
        object.__setattr__(self, "part", "table")

    def __str__(self) -> str:
        """One line per row, the header underlined; the caption is left out."""
        heads = [f"{column.name} {column.unit}".strip() for column in self.columns]
        rows = [heads, *([cell.text for cell in _cells(line)] for line in self.lines)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        laid_out = [self._text(row, widths) for row in rows]
        return "\n".join([laid_out[0], "  ".join("-" * width for width in widths), *laid_out[1:]])

    def _text(self, row: Sequence[str], widths: Sequence[int]) -> str:
        cells = zip(row, widths, self.columns, strict=True)
        return "  ".join(
            text.ljust(width) if column.holds == "words" else text.rjust(width)
            for text, width, column in cells
        ).rstrip()


def _line(row: Line | Sequence[str | Cell]) -> Line:
    line = row if isinstance(row, Line) else Line(row)
    return Line(tuple(_cells(line)), line.kind)


def _cells(line: Line) -> list[Cell]:
    return [Cell(cell) if isinstance(cell, str) else cell for cell in line.cells]

"""What the section "int8" found: our 8-bit product beside the fastest dense product of any kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from tamis.bench.spmm.results.summary import Spread
from tamis.bench.spmm.rows import CellKey, Row
from tamis.report import Column, Heading, Paragraph, Part, Table, duration, percent, times, words

DENSE_ROLES = ("dense", "packed dense", "rounded dense")


@dataclass(frozen=True)
class EightBitCell:
    """One matrix at one n: ours in 8 bits, the fastest dense product, and the fastest of those in float32.

    Speeds are compared as each contestant's speed over the float32 product in its own block.
    """

    ours: Row
    fastest: Row
    float32: Row
    eight_bits: Row | None  # the dense 8-bit product that is nearest to the exact result

    @classmethod
    def of(cls, cell: Mapping[str, Row], roles: Mapping[str, str]) -> Self | None:
        ours = cell.get("tamis_8_bits")
        dense = [row for name, row in cell.items() if roles.get(name) in DENSE_ROLES and row.speedup]
        float32 = [row for row in dense if roles[row.contestant] == "dense"]
        if ours is None or not ours.speedup or not float32:
            return None
        rounded = [row for row in dense if row.contestant.startswith("dense_int8")]
        return cls(
            ours,
            max(dense, key=lambda row: row.speedup or 0.0),
            max(float32, key=lambda row: row.speedup or 0.0),
            min(rounded, key=lambda row: row.max_error or 0.0, default=None),
        )

    @property
    def vs_fastest(self) -> float:
        return (self.ours.speedup or 0.0) / (self.fastest.speedup or 1.0)

    @property
    def vs_float32(self) -> float:
        return (self.ours.speedup or 0.0) / (self.float32.speedup or 1.0)


def eight_bit_cells(rows: Iterable[Row], roles: Mapping[str, str]) -> list[EightBitCell]:
    cells: dict[CellKey, dict[str, Row]] = {}
    for row in rows:
        if row.section == "int8" and row.status == "ok":
            cells.setdefault(row.cell_key, {})[row.contestant] = row
    return [found for cell in cells.values() if (found := EightBitCell.of(cell, roles)) is not None]


def eight_bits_part(cells: Sequence[EightBitCell]) -> Iterator[Part]:
    """The heading, the means, and a line per cell; nothing without cells."""
    if not cells:
        return
    yield Heading("Eight bits, against the fastest dense product of any kind")
    yield Paragraph(
        "Weights in 8 bits with a scale per row, activations rounded per token at each call, which is part of the time. Dense: "
        "float32, bfloat16, torch's dynamic quantisation with each engine, ONNX Runtime's. Error: "
        "||C − A B|| / ||A B||, ours and the best of the dense 8-bit products."
    )
    yield _means(cells)
    yield _lines(cells)


def said_of_eight_bits(cells: Sequence[EightBitCell]) -> str:
    """A sentence per pattern."""
    return " ".join(
        f"In 8 bits, {pattern} zeros: {speeds} the fastest dense product of any kind (geometric means)."
        for pattern, by_target in _grouped(cells).items()
        for speeds in [
            ", ".join(
                f"{times(Spread.of([cell.vs_fastest for cell in found]).geomean)} at {percent(target, 0)}"
                for target, found in by_target.items()
            )
        ]
    )


def _grouped(cells: Sequence[EightBitCell]) -> dict[str, dict[float, list[EightBitCell]]]:
    groups: dict[str, dict[float, list[EightBitCell]]] = {}
    for cell in cells:
        groups.setdefault(cell.ours.pattern, {}).setdefault(cell.ours.target or 0.0, []).append(cell)
    return {pattern: dict(sorted(groups[pattern].items())) for pattern in groups}


def _means(cells: Sequence[EightBitCell]) -> Table:
    lines = []
    for pattern, by_target in _grouped(cells).items():
        for target, found in by_target.items():
            speeds = Spread.of([cell.vs_fastest for cell in found])
            float32 = Spread.of([cell.vs_float32 for cell in found])
            counted = (pattern, percent(target, 0), str(speeds.count))
            lines.append([*counted, times(speeds.geomean), times(speeds.min), times(float32.geomean)])
    header: list[str | Column] = [
        words("pattern"),
        "zeros",
        "cells",
        "vs fastest dense",
        "worst cell",
        "vs float32",
    ]
    return Table(header, lines)


def _lines(cells: Sequence[EightBitCell]) -> Table:
    lines = [
        [
            f"{cell.ours.m}×{cell.ours.k}",
            cell.ours.pattern,
            percent(cell.ours.target or 0.0, 0),
            str(cell.ours.n),
            duration(cell.float32.median_us),
            cell.fastest.contestant.removeprefix("dense_"),
            duration(cell.fastest.median_us),
            duration(cell.ours.median_us),
            times(cell.vs_fastest),
            f"{cell.ours.max_error or 0.0:.4f}",
            "–" if cell.eight_bits is None else f"{cell.eight_bits.max_error or 0.0:.4f}",
        ]
        for cell in cells
    ]
    header: list[str | Column] = ["m×k", words("pattern"), "zeros", "n", "float32", words("fastest dense")]
    return Table([*header, "its time", "tamis", "speed", "error", "dense error"], lines)

"""The rows that stand behind published figures, in a file a sixth as large: for docs/results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from statistics import mode

from tamis.bench.measurement import csv_rows
from tamis.bench.spmm.contestants import ROLES
from tamis.bench.spmm.rows import CellKey, Row

#: What all rows of one machine share.
SHARED = ("device", "cpu", "isa", "dtype", "threads", "versions", "peak_gflops", "build", "date")
KEPT = (
    *("section", "matrix", "pattern", "family", "m", "k", "n", "planned_n", "target", "sparsity", "cache"),
    *("contestant", "detail", "median_us", "spread", "waiting", "dense_us", "speedup"),
    *("gflops", "max_error", "pack_us", "breakeven_calls", "predicted_crossover"),
)


def publish(rows: Sequence[Row], path: Path) -> list[Row]:
    """Write the rows behind the page's tables and plots, trimmed; see :func:`tamis.bench.measurement.csv_rows.publish`.

    Left out are contestants that could not take part, the slower of the two dense layouts, the layers of a real model, and,
    for others than ours, what no table asks. Builds and dates of all rows are named once, together.

    Returns
    -------
    The rows that were written.

    Raises
    ------
    ValueError   if the rows are of several machines, versions or thread counts.
    """
    kept = list(_behind_figures(rows))
    dates = sorted({row.date for row in kept})
    shared = {
        "build": ", ".join(sorted({row.build for row in kept})),
        "date": dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}",
        "peak_gflops": mode(row.peak_gflops for row in kept),
    }
    kept = [replace(_without_details(row), **shared) for row in kept]  # type: ignore[arg-type]
    csv_rows.publish(path, Row, kept, KEPT, SHARED)
    return kept


def _behind_figures(rows: Iterable[Row]) -> Iterator[Row]:
    cells: dict[CellKey, list[Row]] = {}
    for row in rows:
        if row.status == "ok" and row.section != "layers":
            cells.setdefault(row.cell_key, []).append(row)
    for cell in cells.values():
        dense = sorted((row for row in cell if _role(row) == "dense"), key=lambda row: row.median_us or inf)
        yield from (row for row in cell if row not in dense[1:])


def _without_details(row: Row) -> Row:
    row = replace(row, spread=_thousandths(row.spread), waiting=_thousandths(row.waiting))
    if row.section != "int8":  # where products are right up to rounding, the error says nothing
        row = replace(row, max_error=None)
    if _role(row).startswith("ours"):
        return replace(row, detail=row.detail.split(":")[0])
    return replace(row, gflops=None, pack_us=None, breakeven_calls=None)


def _role(row: Row) -> str:
    return ROLES.get(row.contestant, "peer")


def _thousandths(share: float | None) -> float | None:
    return None if share is None else round(share, 3)

"""The tour's rows as CSV: one line per whole model, and one for the street."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tamis.storage import write_text
from tamis.tour.rows import ModelRow, Speed, Tour
from tamis.tour.street import Street

COLUMNS = (
    "part",
    "name",
    "sparsity",
    "mean_cosine",
    "min_cosine",
    "batch_ms",
    "batch_q1_ms",
    "batch_q3_ms",
    "speedup",
    "single_ms",
    "format_bytes",
    "packed_bytes",
    "points",
    "voxels",
    "plan_ms",
    "mean_iou",
    "cpu",
    "isa",
    "threads",
    "versions",
    "date",
)


def write_table(tour: Tour, path: Path) -> None:
    """Write the CSV, complete or not at all. A field that does not apply is empty.

    ``part`` is "model" (``batch_ms``: all test sentences) or "street" (``batch_ms``: all points of the scan).
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for line in _lines(tour):
        writer.writerow(_ran_on(tour) | {name: _show(value) for name, value in line.items()})
    write_text(path, text.getvalue())


def _lines(tour: Tour) -> Iterator[dict[str, Any]]:
    yield _dense("dense PyTorch", tour, tour.dense_batch, tour.dense_single)
    if tour.packed_batch is not None and tour.packed_single is not None:
        yield _dense("dense, weights packed", tour, tour.packed_batch, tour.packed_single)
    for row in tour.rows:
        yield _model(tour, row)
    if tour.street is not None:
        yield _street(tour.street)


def _dense(name: str, tour: Tour, batch: Speed, single: Speed) -> dict[str, Any]:
    packed = name != "dense PyTorch"
    return {
        "part": "model",
        "name": name,
        "sparsity": 0.0,
        "mean_cosine": 1.0,
        "min_cosine": 1.0,
        **_speeds(tour, batch, single),
        "format_bytes": 0 if packed else tour.dense_bytes,
        "packed_bytes": tour.dense_bytes if packed else 0,
    }


def _model(tour: Tour, row: ModelRow) -> dict[str, Any]:
    return {
        "part": "model",
        "name": row.configuration.name,
        "sparsity": row.sparsity,
        "mean_cosine": row.mean_cosine,
        "min_cosine": row.min_cosine,
        **_speeds(tour, row.batch, row.single),
        "format_bytes": row.format_bytes,
        "packed_bytes": row.packed_bytes,
    }


def _speeds(tour: Tour, batch: Speed, single: Speed) -> dict[str, float]:
    return {
        "batch_ms": batch.ms,
        "batch_q1_ms": batch.q1_ms,
        "batch_q3_ms": batch.q3_ms,
        "speedup": tour.dense_batch.ms / batch.ms,
        "single_ms": single.ms,
    }


def _street(street: Street) -> dict[str, Any]:
    return {
        "part": "street",
        "name": f"{street.name}, {street.network}",
        "batch_ms": street.ms,
        "points": street.points,
        "voxels": street.voxels,
        "plan_ms": street.plan_ms,
        "mean_iou": street.mean_iou,
    }


def _ran_on(tour: Tour) -> dict[str, str]:
    names = {"cpu": "CPU", "threads": "Threads", "versions": "Versions", "date": "Date"}
    isa = tour.environment.get("Instruction set", "").partition(",")[0]
    return {"isa": isa, **{column: tour.environment.get(name, "") for column, name in names.items()}}


def _show(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value

"""One row per (matrix, n, contestant) of the SpMM suite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tamis.bench.measurement import Measured, csv_rows

CellKey = tuple[str, str, str, str, str, int]


def cell_name(matrix: str, n: int, planned_n: int | None, cache: str) -> str:
    """The ``cell`` of a row: what it says of (matrix, n, the n planned for, cache)."""
    planned = "" if planned_n in (None, n) else f"_planned{planned_n}"
    return f"{matrix}_n{n}{planned}_{cache}"


@dataclass(frozen=True, kw_only=True)
class Row(Measured):
    """What one contestant did on one cell; see :class:`~tamis.bench.measurement.Measured` for the fields of all suites.

    Attributes
    ----------
    section : str
        "grid", "decode", "lengths" (lengths the plan was not made for), "choice" and "choice again" (every kernel that can serve,
        on shapes, seeds and sparsities that nothing was fitted to), "layers" (a real model) or "files" (.smtx).
    cell : str
        Identity of (matrix, n, cache); with section, contestant, device, dtype and threads it identifies the row. Left empty, it
        is :func:`cell_name`.
    matrix, pattern, family : str
        Name of the matrix, its sparsity pattern, and the family it was drawn from.
    m, k, n, nnz : int
    target, sparsity : float
        Sparsity aimed at, and as it is.
    row_cov, reuse_4, reuse_8 : float
        From the matrix's manifest.
    cache : str
        "warm", or "cold": calls cycle through copies of more than 256 MiB in all.
    planned_n : int
        The n our plan was made for.
    waiting, calls_per_sample, first_call_us
        See :class:`tamis.tuning.timer.Timing`.
    block : str
        Contestants with the same block were interleaved: "torch", or the name of an engine with its own pool.
    dense_us : float
        The faster of the two dense layouts in the same block.
    speedup : float
        ``dense_us / median_us``.
    flops, bytes_moved : int
        Executed operations (2 per stored value and column, fill included); bytes of A, B and C once each.
    gflops : float
        ``2 * nnz * n`` (dense: ``2 * m * k * n``) per nanosecond.
    resident_bytes : int
        Bytes that stay allocated for A.
    pack_us, breakeven_calls : float
        Time to make the plan or handle; calls after which it has paid for itself against dense (inf: never).
    predicted_us, predicted_crossover : float
        What the cost model expected of our call, and the sparsity from which it expected sparse to beat dense.
    joules : float
        Energy per call, where the machine has counters.
    """

    cell: str = ""
    matrix: str
    pattern: str
    family: str
    m: int
    k: int
    n: int
    nnz: int | None = None
    target: float | None
    sparsity: float
    row_cov: float | None = None
    reuse_4: float | None = None
    reuse_8: float | None = None
    cache: str
    planned_n: int | None = None
    waiting: float | None = None
    calls_per_sample: int | None = None
    first_call_us: float | None = None
    block: str = ""
    dense_us: float | None = None
    speedup: float | None = None
    flops: int | None = None
    bytes_moved: int | None = None
    resident_bytes: int | None = None
    pack_us: float | None = None
    breakeven_calls: float | None = None
    predicted_us: float | None = None
    predicted_crossover: float | None = None
    joules: float | None = None

    def __post_init__(self) -> None:
        if not self.cell:
            object.__setattr__(self, "cell", cell_name(self.matrix, self.n, self.planned_n, self.cache))

    @property
    def cell_key(self) -> CellKey:
        """What was measured together and is measured again together."""
        return self.section, self.cell, self.device, self.cpu, self.dtype, self.threads


COLUMNS = csv_rows.columns(Row)


def read(path: Path) -> list[Row]:
    """The rows of a CSV; see :func:`tamis.bench.measurement.csv_rows.read`."""
    return csv_rows.read(path, Row)


def append(path: Path, rows: Sequence[Row]) -> None:
    """Add the rows of one cell."""
    csv_rows.append(path, Row, rows)


def replace(path: Path, rows: Iterable[Row]) -> None:
    """Write all rows anew."""
    csv_rows.replace(path, Row, rows)

"""One row per (matrix, n, contestant) of the SpMM suite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tamis.bench.measurement import csv_rows

CellKey = tuple[str, str, str, str, str, int]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one contestant did on one cell. Empty in the CSV = None = unknown or not applicable.

    Attributes
    ----------
    section : str
        "grid", "decode", "lengths" (lengths the plan was not made for), "choice" and "choice again" (every kernel that can serve,
        on shapes, seeds and sparsities that nothing was fitted to), "layers" (a real model) or "files" (.smtx).
    cell : str
        Identity of (matrix, n, cache); with section, contestant, device, dtype and threads it identifies the row.
    matrix, pattern, family : str
        Name of the matrix, its sparsity pattern, and the family it was drawn from.
    m, k, n, nnz : int
    target, sparsity : float
        Sparsity aimed at, and as it is.
    row_cov, reuse_4, reuse_8 : float
        From the matrix's manifest.
    cache : str
        "warm", or "cold": calls cycle through copies of more than 256 MiB in all.
    contestant, detail : str
        Who; and the kernel chosen and why, or the peer's version and pool.
    planned_n : int
        The n our plan was made for.
    status : str
        "ok"; "refused" (wrong result, not timed), "unavailable" or "failed", with the reason in ``note``.
    median_us, q1_us, q3_us, spread, samples, dirty, waiting, calls_per_sample, first_call_us
        See :class:`tamis.tuning.timer.Timing`.
    block : str
        Contestants with the same block were interleaved: "torch", or the name of an engine with its own pool.
    dense_us : float
        The faster of the two dense layouts in the same block.
    speedup : float
        ``dense_us / median_us``.
    max_error, tolerance : float
        Largest error relative to ``|A| @ |B|``, against float64; and the bound it had to keep.
    flops, bytes_moved : int
        Executed operations (2 per stored value and column, fill included); bytes of A, B and C once each.
    gflops, peak_gflops : float
        ``2 * nnz * n`` (dense: ``2 * m * k * n``) per nanosecond; the machine's FMA peak at this thread count.
    resident_bytes : int
        Bytes that stay allocated for A.
    pack_us, breakeven_calls : float
        Time to make the plan or handle; calls after which it has paid for itself against dense (inf: never).
    predicted_us, predicted_crossover : float
        What the cost model expected of our call, and the sparsity from which it expected sparse to beat dense.
    joules : float
        Energy per call, where the machine has counters.
    device, cpu, isa, dtype, threads, versions, build, date
        Where and with what it ran. ``build`` fingerprints the code of the kernels and of their choice.
    """

    section: str
    cell: str
    matrix: str
    pattern: str
    family: str
    m: int
    k: int
    n: int
    nnz: int
    target: float | None
    sparsity: float
    row_cov: float
    reuse_4: float
    reuse_8: float
    cache: str
    contestant: str
    status: str
    detail: str = ""
    note: str = ""
    planned_n: int | None = None
    median_us: float | None = None
    q1_us: float | None = None
    q3_us: float | None = None
    spread: float | None = None
    samples: int | None = None
    dirty: float | None = None
    waiting: float | None = None
    calls_per_sample: int | None = None
    first_call_us: float | None = None
    block: str = ""
    dense_us: float | None = None
    speedup: float | None = None
    max_error: float | None = None
    tolerance: float | None = None
    flops: int | None = None
    bytes_moved: int | None = None
    gflops: float | None = None
    peak_gflops: float | None = None
    resident_bytes: int | None = None
    pack_us: float | None = None
    breakeven_calls: float | None = None
    predicted_us: float | None = None
    predicted_crossover: float | None = None
    joules: float | None = None
    device: str = ""
    cpu: str = ""
    isa: str = ""
    dtype: str = ""
    threads: int = 0
    versions: str = ""
    build: str = ""
    date: str = ""

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

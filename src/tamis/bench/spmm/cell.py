"""One cell: every contestant on one matrix and one n, gated, then timed in blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from math import ceil, inf
from typing import Any, Literal

from torch import Tensor

from tamis.bench.measurement import Entrant, Machine, Timed, Unavailable, joules_per_call, time_blocks
from tamis.bench.spmm.contestants import Contestant, Prepared
from tamis.bench.spmm.operands import Operands
from tamis.bench.spmm.rows import Row, cell_name
from tamis.workloads import Manifest

COLD_BYTES = 256 << 20

# What an engine may raise at a product it cannot do; anything else is a bug of the bench and stops it.
_ENGINE_ERRORS = (RuntimeError, ValueError, TypeError, NotImplementedError, MemoryError, OSError)


@dataclass(frozen=True)
class Cell:
    """A matrix, by name, at one n.

    Attributes
    ----------
    section, matrix, pattern, family : str
    target : float, optional
        Sparsity aimed at.
    n, planned_n : int
        Columns of B, and those that plans are made for.
    cache : {"warm", "cold"}
    """

    section: str
    matrix: str
    pattern: str
    family: str
    target: float | None
    n: int
    planned_n: int
    cache: Literal["warm", "cold"] = "warm"

    @property
    def key(self) -> str:
        """The row's ``cell``."""
        return cell_name(self.matrix, self.n, self.planned_n, self.cache)


def run_cell(
    cell: Cell,
    weight: Tensor,
    manifest: Manifest,
    contestants: Sequence[Contestant],
    machine: Machine,
    *,
    share_s: float = 0.1,
) -> list[Row]:
    """Gate every contestant against float64, time those that are right, and return a row for each.

    Parameters
    ----------
    cell : Cell
    weight : Tensor, shape (m, k)
        The matrix, dense, with exact zeros.
    manifest : Manifest
        Of ``weight``.
    contestants : sequence of Contestant
        Every speedup is against the faster of those with role "dense", in the same block.
    machine : Machine
    share_s : float
        Seconds of timing per contestant and block.

    Returns
    -------
    list of Row, in the order of ``contestants``.
    """
    operands = Operands.make(weight, cell.n, cell.pattern)
    blank = _blank_row(cell, manifest, weight, machine)
    rows: dict[str, Row] = {}
    admitted: dict[str, _Admitted] = {}
    for contestant in contestants:
        found = _admit(contestant, cell, operands, replace(blank, contestant=contestant.name))
        if isinstance(found, Row):
            rows[contestant.name] = found
        else:
            admitted[contestant.name] = found
    for timed in time_blocks([found.entrant for found in admitted.values()], share_s):
        rows[timed.name] = _timed_row(admitted[timed.name], timed)
    return [rows[contestant.name] for contestant in contestants]


def _blank_row(cell: Cell, manifest: Manifest, weight: Tensor, machine: Machine) -> Row:
    """A row with all that the contestants of a cell have in common."""
    return Row(
        section=cell.section,
        cell=cell.key,
        matrix=cell.matrix,
        pattern=cell.pattern,
        family=cell.family,
        m=manifest.m,
        k=manifest.k,
        n=cell.n,
        nnz=manifest.nnz,
        target=cell.target,
        sparsity=manifest.sparsity,
        row_cov=manifest.row_cov,
        reuse_4=manifest.reuse_4,
        reuse_8=manifest.reuse_8,
        cache=cell.cache,
        contestant="",
        planned_n=cell.planned_n,
        dtype=str(weight.dtype).removeprefix("torch."),
    ).on(machine)


@dataclass(frozen=True)
class _Admitted:
    """A contestant that passed the gate, and its row as far as it is known before timing."""

    contestant: Contestant
    entrant: Entrant
    row: Row


def _admit(contestant: Contestant, cell: Cell, operands: Operands, row: Row) -> _Admitted | Row:
    """Prepare a contestant and check its product; a row that says why not, where it may not be timed."""
    try:
        prepared = contestant.prepare(operands, cell.planned_n)
        against = prepared.rounded or operands
        product, bound = prepared.product(prepared.run()), prepared.nearness
        error = against.error(product) if bound is None else against.distance(product)
        bound = against.tolerance if bound is None else bound
        row = replace(
            row,
            detail=prepared.detail,
            max_error=error,
            tolerance=bound,
            flops=2 * prepared.stored * cell.n,
            bytes_moved=prepared.streamed_bytes
            + operands.b.nbytes
            + row.m * cell.n * operands.b.element_size(),
            resident_bytes=prepared.resident_bytes,
            pack_us=prepared.pack_us,
            predicted_us=prepared.predicted_us,
            predicted_crossover=prepared.predicted_crossover,
        )
        if not error <= bound:
            return replace(
                row, status="refused", note=f"wrong: error {error:.1e}, allowed {bound:.1e}; not timed"
            )
        call = prepared.run if cell.cache == "warm" else _cycling(contestant, cell, operands, prepared)
    except Unavailable as reason:
        return replace(row, status="unavailable", note=str(reason))
    except _ENGINE_ERRORS as reason:
        return replace(row, status="failed", note=f"{type(reason).__name__}: {str(reason)[:200]}")
    entrant = Entrant(contestant.name, call, prepared.pool, contestant.role == "dense")
    return _Admitted(contestant, entrant, row)


def _cycling(contestant: Contestant, cell: Cell, operands: Operands, first: Prepared) -> Callable[[], Any]:
    """A call that takes the next of enough copies of A that none is in cache when its turn comes again."""
    copies = max(2, ceil(COLD_BYTES / max(1, first.streamed_bytes)))
    runs = []
    for _ in range(copies):
        copied = replace(operands, weight=operands.weight.clone())
        runs.append(contestant.prepare(copied, cell.planned_n).run)
        runs[-1]()  # what a first call does once, such as packing values, is no part of a cold call
    turns = cycle(runs)
    return lambda: next(turns)()


def _timed_row(admitted: _Admitted, timed: Timed) -> Row:
    timing, dense_us, row = timed.timing, timed.baseline_us, admitted.row
    is_dense = admitted.contestant.role.endswith("dense")
    useful = 2 * row.n * (row.m * row.k if is_dense else row.nnz or 0)
    return replace(
        row.with_timing(timing),
        block=timed.block,
        note=timed.note,
        waiting=timing.waiting,
        calls_per_sample=timing.calls_per_sample,
        first_call_us=timing.first_call_us,
        gflops=useful / timing.median_us / 1e3,
        dense_us=dense_us,
        speedup=None if dense_us is None else dense_us / timing.median_us,
        breakeven_calls=breakeven_calls(row.pack_us, timing.median_us, dense_us),
        joules=joules_per_call(admitted.entrant.call),
    )


def breakeven_calls(pack_us: float | None, median_us: float, dense_us: float | None) -> float | None:
    """Calls after which packing has paid for itself against dense; inf where a call saves nothing."""
    if pack_us is None or dense_us is None:
        return None
    return pack_us / (dense_us - median_us) if dense_us > median_us else inf

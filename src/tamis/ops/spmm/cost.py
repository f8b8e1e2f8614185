"""What an SpMM kernel is asked to do, how it cuts the matrix, and how much work that is.

The model is linear in a kernel's prices, so they are fitted by non-negative least squares (:mod:`tamis.tuning`). Kinds of work:

- ``fma``: one step in one vector: its FMAs and their loads; of ``spmv_window`` one vector of a window, permuted
- ``step``: one step, whatever the width: ids, values, loop; a step is four values
- ``group``: one group of four rows: header, loop exit
- ``sums``: one vector of a group's sums, in and out
- ``slice``: one vector of B copied to the slice
- ``column``: one step of a panel kernel where B has a single column: everything
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch

from tamis.formats import BSR, SparseMatrix
from tamis.kernels.cpu import parts_of_unit
from tamis.tuning import Machine, Work

WINDOWS = (64, 128)  # that spmv_window is compiled for
NARROW_BLOCK_COLS = 255  # of a block whose column ids have 8 bits


@dataclass(frozen=True)
class SpmmProblem:
    """A product as the choice sees it: everything but the tensors, so that a plan can answer for itself later.

    Attributes
    ----------
    format, shape, blocksize, density, dtype, device : of A; ``blocksize`` is (1, 1) where there are no blocks
    n : int
        Columns of B.
    compute : str
        "float32", or "int8" where B is rounded to 8 bits on the way in.
    machine, threads : what it will run on
    """

    format: str
    shape: tuple[int, int]
    blocksize: tuple[int, int]
    density: float
    dtype: torch.dtype
    device: torch.device
    n: int
    machine: Machine
    threads: int
    compute: str = "float32"

    @classmethod
    def of(cls, a: SparseMatrix, n: int, machine: Machine, threads: int, compute: str = "float32") -> Self:
        blocksize = a.blocksize if isinstance(a, BSR) else (1, 1)
        return cls(
            type(a).__name__, a.shape, blocksize, a.density, a.dtype, a.device, n, machine, threads, compute
        )

    def at_density(self, density: float) -> Self:
        return replace(self, density=density)

    def __repr__(self) -> str:
        (m, k), (height, width) = self.shape, self.blocksize
        blocks = f" in {height}x{width} blocks" if self.format == "BSR" else ""
        dtype = str(self.dtype).removeprefix("torch.")
        return f"{self.format}({m}x{k}{blocks}, {dtype}, {self.density:.2%} dense, {self.device})"


class Tiling(NamedTuple):
    """Rows per part and columns per block."""

    part_rows: int
    block_cols: int


def panel_tiling(p: SpmmProblem, *, narrow: bool) -> Tiling:
    """Rows per part and columns per block of the panel kernels, the same for every n.

    A slice of B must fit in L1 (block_cols x panel width); with few nonzeros per row the cost of a block is not
    paid back, so blocks grow as density falls. Parts feed threads when there are fewer panels than threads.

    ``narrow`` prefers ids of 8 bits, that is, blocks of no more than 255 columns: right where each row has ids of its
    own, wrong where four rows share theirs. Below a density of 7 %, wider blocks are worth ids of 16 bits.
    """
    rows = part_rows(p, math.ceil(p.shape[0] / max(1, min(p.threads, 64), math.ceil(p.shape[0] / 1024))))
    l1_cols = 8192 // (p.machine.panel_vectors * p.machine.width)  # 32 KiB
    limits = ((0.2, 1), (0.07, 1.5), (0.035, 2), (-1.0, 4))
    wider = next(times for limit, times in limits if p.density > limit)
    widest = int(wider * l1_cols)
    if narrow and wider < 2:
        widest = min(widest, NARROW_BLOCK_COLS)
    k = max(p.shape[1], 1)
    return Tiling(rows, math.ceil(k / math.ceil(k / widest)))  # blocks as equal as can be


def window_tiling(p: SpmmProblem) -> Tiling:
    """Rows per part of ``spmv_window``, and columns of its window: a wide one costs loads, a narrow one is not filled."""
    rows = part_rows(p, math.ceil(p.shape[0] / max(1, 2 * p.threads, math.ceil(p.shape[0] / 1024))))
    return Tiling(rows, WINDOWS[0] if p.density > 0.2 else WINDOWS[1])


def int8_part_rows(p: SpmmProblem) -> int:
    """Rows per part of ``spmm_int8``: few, so that their sums stay in L1 on the way out."""
    return part_rows(p, min(128, math.ceil(p.shape[0] / p.threads)))


def part_rows(p: SpmmProblem, wanted: int) -> int:
    """Groups have four rows, and blocks are not cut."""
    whole = math.lcm(4, p.blocksize[0]) if p.blocksize[0] % 4 == 0 else 4
    return max(math.ceil(max(wanted, 32) / whole) * whole, whole)


def panel_work(p: SpmmProblem, *, padding: float, id_bytes: int, narrow: bool) -> Work:
    """Count the work of a panel kernel (csrc/kernels/spmm_panels.h).

    Parameters
    ----------
    p : SpmmProblem
    padding : float
        Expected steps times four over the stored values.
    id_bytes : int
        Of the column ids of a step.
    narrow : bool
        As for :func:`panel_tiling`.
    """
    (m, k), tiling, machine = p.shape, panel_tiling(p, narrow=narrow), p.machine
    parts, blocks = math.ceil(m / tiling.part_rows), max(1, math.ceil(k / tiling.block_cols))
    steps = p.density * m * k * padding / 4
    groups = min(m / 4 * blocks, steps + 2 * m / 4)
    matrix_bytes = steps * (4 * p.dtype.itemsize + id_bytes)
    if p.n == 1:
        return Work(_amounts(column=steps), matrix_bytes, min(p.threads, max(1, parts)))
    vectors = math.ceil(p.n / machine.width)
    panels = math.ceil(vectors / machine.panel_vectors)
    taken = parts_of_unit(panels, parts, tiling.part_rows, p.threads)
    ranges = math.ceil(parts / taken)
    rounds = max(1, math.ceil(panels * ranges / p.threads))
    amounts = _amounts(
        fma=steps * vectors,
        step=steps * panels,
        group=groups * panels,
        sums=groups * vectors,
        slice=k * ranges * vectors,
    )
    return Work(amounts, matrix_bytes * panels, max(1.0, panels * parts / (rounds * taken)))


def window_work(p: SpmmProblem) -> Work:
    """Count the work of ``spmv_window`` (csrc/kernels/spmv_window.cpp); a step is one strip."""
    (m, k), n, window = p.shape, p.n, window_tiling(p).block_cols
    lanes, tile = 16, 4
    # A strip ends when it is full or at the end of its window, whichever comes first; it begins anywhere in a vector.
    strips = m * k * p.density / min(lanes * 0.98, max(1.0, p.density * (window - lanes / 2)))
    strips, tiles = max(strips, m / 4), math.ceil(n / tile)
    amounts = _amounts(
        fma=strips * window / lanes * n,
        step=strips * tiles,
        group=m / 4 * tiles,
        sums=m / 4 * n,
        slice=0 if n == 1 else k / lanes * n * 2 * p.threads,  # each part makes its own
    )
    matrix_bytes = strips * (20 + lanes * p.dtype.itemsize) * tiles
    return Work(amounts, matrix_bytes, float(min(p.threads, max(1, m // 32))))


def int8_work(p: SpmmProblem) -> Work:
    """Count the work of ``spmm_int8`` (csrc/kernels/spmm_int8.cpp): four dot products of a quad are an ``fma``."""
    (m, k), rows = p.shape, int8_part_rows(p)
    parts, quads = math.ceil(m / rows), k / 4
    steps = p.density * m * quads / 4 * 1.03
    vectors = math.ceil(p.n / p.machine.width)
    panels = math.ceil(vectors / (p.machine.panel_vectors if k <= 768 else 2))
    taken = parts_of_unit(panels, parts, rows, p.threads)
    units = panels * math.ceil(parts / taken)
    amounts = _amounts(
        fma=steps * vectors,
        step=steps * panels,
        group=m / 4 * panels,
        sums=m / 4 * vectors,
        slice=quads * vectors,
    )
    return Work(
        amounts, steps * 24 * panels, max(1.0, panels * parts / max(1, math.ceil(units / p.threads) * taken))
    )


def _amounts(
    fma: float = 0, step: float = 0, group: float = 0, sums: float = 0, slice: float = 0, column: float = 0
) -> dict[str, float]:
    return {"fma": fma, "step": step, "group": group, "sums": sums, "slice": slice, "column": column}

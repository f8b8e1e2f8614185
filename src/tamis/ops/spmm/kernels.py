"""The table of SpMM kernels: what each refuses, how it packs a matrix, and what it is expected to cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from tamis.formats import BSR, SparseMatrix
from tamis.kernels.cpu.spmm_pack import PanelMatrix, pack_panels
from tamis.kernels.cpu.spmv_pack import MAX_COLUMNS, WINDOWS, WindowMatrix, pack_windows
from tamis.ops.spmm.structure import PackableStructure, as_blocks, as_rows
from tamis.tuning.cost import Machine, Structure, Work, kernel_us, panel_work, window_work


@dataclass(frozen=True)
class SpmmKernel:
    """A kernel as the choice sees it.

    Attributes
    ----------
    name : str
        Backend and name; the key of the operator's table and of the machine's prices.
    refuses : a -> reason why it cannot serve, or None
    pack : (a, n, machine, threads) -> the packed structure
    work : (a, density, n, machine, threads) -> expected work of a call, if ``a`` had that density
    keeps_dtype : bool
        Packed values have the dtype of the format's, int8 included; else they are widened to float32.
    """

    name: str
    refuses: Callable[[SparseMatrix], str | None]
    pack: Callable[[SparseMatrix, int, Machine, int], PanelMatrix | WindowMatrix]
    work: Callable[[SparseMatrix, float, int, Machine, int], Work]
    keeps_dtype: bool = False

    def time_us(self, a: SparseMatrix, density: float, n: int, machine: Machine, threads: int) -> float:
        """Expected time of a call, microseconds, if ``a`` had that density."""
        return kernel_us(machine, self.name, self.work(a, density, n, machine, threads))


def find(name: str) -> SpmmKernel:
    """Return the kernel of that name; StopIteration if there is none."""
    return next(kernel for kernel in KERNELS if kernel.name == name)


def _needs_tall_blocks(a: SparseMatrix) -> str | None:
    if not isinstance(a, BSR):
        return f"a is {type(a).__name__}, not BSR"
    height = a.blocksize[0]
    if height > 1024:
        return f"block height {height} is above 1024"
    return None if height % 4 == 0 else f"block height {height} is not a multiple of 4"


def _needs_narrow(a: SparseMatrix) -> str | None:
    return None if a.shape[1] <= MAX_COLUMNS else f"a has {a.shape[1]} columns, more than {MAX_COLUMNS}"


@dataclass(frozen=True)
class _Tiling:
    part_rows: int
    block_cols: int


def _tiling(a: SparseMatrix, n: int, machine: Machine, threads: int, density: float) -> _Tiling:
    """Rows per part and columns per block of the panel kernels, the same for every n above 1.

    A slice of B must fit in L1 (csrc: block_cols × panel width); with few nonzeros per row the cost of a block is not
    paid back, so blocks grow as density falls. Parts feed threads when there are fewer panels than threads.
    """
    m = a.shape[0]
    part_rows = _part_rows(a, math.ceil(m / max(1, min(threads, 64), math.ceil(m / 1024))))
    if n == 1:  # no slice but a column of B
        return _Tiling(part_rows, 8192)
    l1_cols = 8192 // (machine.panel_vectors * machine.width)  # 32 KiB
    wider = next(times for limit, times in ((0.2, 1), (0.07, 1.5), (0.035, 2), (-1.0, 4)) if density > limit)
    return _Tiling(part_rows, int(wider * l1_cols))


def _part_rows(a: SparseMatrix, wanted: int) -> int:
    """Groups have four rows, and blocks are not cut."""
    whole = math.lcm(4, a.blocksize[0]) if isinstance(a, BSR) and a.blocksize[0] % 4 == 0 else 4
    return max(math.ceil(max(wanted, 32) / whole) * whole, whole)


def _panels(
    name: str,
    refuses: Callable[[SparseMatrix], str | None],
    structure_of: Callable[[SparseMatrix], PackableStructure],
    padding: float,
    id_bytes: int,
) -> SpmmKernel:
    """A kernel of csrc/kernels/spmm_panels.h; ``padding``: expected steps times four over nnz."""

    def pack(a: SparseMatrix, n: int, machine: Machine, threads: int) -> PanelMatrix:
        indices, tiling = structure_of(a), _tiling(a, n, machine, threads, a.density)
        packed = pack_panels(
            indices.crow_indices,
            indices.col_indices,
            indices.blocksize,
            a.shape,
            tiling.part_rows,
            tiling.block_cols,
        )
        return _in_order_of(indices, packed)

    def work(a: SparseMatrix, density: float, n: int, machine: Machine, threads: int) -> Work:
        m, k = a.shape
        tiling = _tiling(a, n, machine, threads, density)
        parts, blocks = math.ceil(m / tiling.part_rows), max(1, math.ceil(k / tiling.block_cols))
        steps = density * m * k * padding / 4
        groups = min(m / 4 * blocks, steps + 2 * m / 4)
        structure = Structure(k, steps, groups, parts, tiling.part_rows, id_bytes)
        return panel_work(structure, n, machine, threads)

    return SpmmKernel(name, refuses, pack, work)


def _window(
    a: SparseMatrix, density: float, n: int, machine: Machine, threads: int
) -> tuple[float, int, Work]:
    """Expected time, columns of the better window, work: a wide one costs loads, a narrow one is not filled."""
    options = []
    for window in WINDOWS:
        work = window_work(a.shape, density, window, a.values.element_size(), n, threads)
        options.append((kernel_us(machine, "cpu/spmv_window", work), window, work))
    return min(options, key=lambda option: option[0])


def _pack_windows(a: SparseMatrix, n: int, machine: Machine, threads: int) -> WindowMatrix:
    indices, m = as_rows(a), a.shape[0]
    part_rows = _part_rows(a, math.ceil(m / max(1, 2 * threads, math.ceil(m / 1024))))
    window = _window(a, a.density, n, machine, threads)[1]
    return _in_order_of(
        indices, pack_windows(indices.crow_indices, indices.col_indices, a.shape, part_rows, window)
    )


def _work_of_windows(a: SparseMatrix, density: float, n: int, machine: Machine, threads: int) -> Work:
    return _window(a, density, n, machine, threads)[2]


_Packed = TypeVar("_Packed", PanelMatrix, WindowMatrix)


def _in_order_of(indices: PackableStructure, packed: _Packed) -> _Packed:
    """Let positions point into the format's own values."""
    if indices.order is None:
        return packed
    own = torch.where(packed.positions < 0, -1, indices.order[packed.positions.clamp(min=0).long()])
    return replace(packed, positions=own.int())


# To add a kernel: its file in csrc/kernels (listed in kernels.h, table.cpp, bind.cpp), a line in
# kernels/cpu/spmm.py, one here, one each in NATIVE and PACKED of library.py, its prices from `tamis tune`. The conformance tests read this table.
KERNELS: tuple[SpmmKernel, ...] = (
    _panels("cpu/spmm_csr", lambda a: None, as_rows, padding=1.05, id_bytes=8),
    _panels("cpu/spmm_bsr", _needs_tall_blocks, as_blocks, padding=1.0, id_bytes=2),  # type: ignore[arg-type]
    SpmmKernel("cpu/spmv_window", _needs_narrow, _pack_windows, _work_of_windows, keeps_dtype=True),
)

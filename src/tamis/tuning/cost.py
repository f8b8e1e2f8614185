"""The cost model: time of a product from counts of what its kernel does, times a few constants of the machine.

A kernel does six kinds of work, each counted here from the structure alone; a machine is the price of one of each. All
prices are positive and the model is linear in them, so they are fitted by non-negative least squares
(:mod:`tamis.tuning.fit`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Structure:
    """What the cost of a product depends on besides n.

    Attributes
    ----------
    k : int
        Columns.
    steps : float
        Steps of the inner loop over the whole matrix, padding included; a step is four values.
    groups : float
        Groups of four rows, summed over blocks of columns.
    parts, part_rows : int
        Parts of rows, and rows of one.
    id_bytes : int
        Of the column ids of a step.
    """

    k: int
    steps: float
    groups: float
    parts: int
    part_rows: int
    id_bytes: int


@dataclass(frozen=True, eq=False)
class Work:
    """What a call does: amounts of each kind of :class:`KernelPrices` over all threads, bytes of the matrix that it reads, and
    how many threads have work on average."""

    amounts: np.ndarray
    matrix_bytes: float
    busy: float


@dataclass(frozen=True)
class KernelPrices:
    """Nanoseconds of one thread for one unit of each kind of work."""

    fma: float  # one step in one vector: its FMAs and their loads; of spmv_window one vector of a window, permuted
    step: float  # one step, whatever the width: ids, values, loop
    group: float  # one group: header, loop exit
    sums: float  # one vector of a group's sums, in and out
    slice: float  # one vector of B copied to the slice
    column: float = 0.0  # one step of a panel kernel where B has a single column: everything
    read: float = 0.02  # one byte of a matrix that does not stay in cache, all threads together

    def total_ns(self, amounts: np.ndarray) -> float:
        return float(
            amounts @ np.array([self.fma, self.step, self.group, self.sums, self.slice, self.column])
        )


@dataclass(frozen=True)
class Machine:
    """The constants of one (device, ISA, threads).

    Attributes
    ----------
    width, panel_vectors : int
        Floats in a vector; vectors in a panel.
    call_us : float
        A call and its parallel region.
    thread_efficiency : float
        Speed of all threads together over threads times one.
    dense_gflops : tuple of (n, GFLOP/s of one thread)
        Faster dense layout, interpolated in log n between the points.
    dense_bytes_per_ns : float
        Rate at which a dense matrix-vector product reads a matrix too large for caches, all threads.
    cache_bytes : int
        Matrices of fewer bytes are expected to stay in cache between calls.
    kernels : dict of kernel name to KernelPrices
    source : str
        Where the constants come from, as `plan.reason` tells it.
    """

    name: str
    width: int
    panel_vectors: int
    call_us: float
    thread_efficiency: float
    dense_gflops: tuple[tuple[int, float], ...]
    dense_bytes_per_ns: float
    kernels: dict[str, KernelPrices]
    source: str = "shipped constants"
    cache_bytes: int = 8 << 20


def panel_work(structure: Structure, n: int, machine: Machine, threads: int) -> Work:
    """Count the work of a panel kernel (csrc/kernels/spmm_panels.h)."""
    steps, groups = structure.steps, structure.groups
    matrix_bytes = steps * (16 + structure.id_bytes)
    if n == 1:
        busy = min(threads, max(1, structure.parts))
        return Work(np.array([0, 0, 0, 0, 0, steps]), matrix_bytes, busy)
    vectors = math.ceil(n / machine.width)
    panels = math.ceil(vectors / machine.panel_vectors)
    ranges, busy_threads = _share(panels, structure.parts, structure.part_rows, threads)
    copies = structure.k * ranges * vectors
    amounts = np.array([steps * vectors, steps * panels, groups * panels, groups * vectors, copies, 0])
    return Work(amounts, matrix_bytes * panels, busy_threads)


def _share(panels: int, parts: int, part_rows: int, threads: int) -> tuple[int, float]:
    """Ranges of parts that a panel is cut into, and threads busy on average: ``parts_of_unit`` of csrc, in Python."""
    slice_rows, most_rows = 64, 1024

    def cost(taken: int) -> tuple[int, int]:
        units = panels * math.ceil(parts / taken)
        return math.ceil(units / threads) * (taken * part_rows + slice_rows), -taken

    taken = min((t for t in range(1, max(parts, 1) + 1) if t == 1 or t * part_rows <= most_rows), key=cost)
    units = panels * math.ceil(parts / taken)
    rounds = max(1, math.ceil(units / threads))
    return math.ceil(parts / taken), max(1.0, panels * parts / (rounds * taken))


def window_work(
    shape: tuple[int, int],
    density: float,
    window: int,
    value_bytes: int,
    n: int,
    threads: int,
) -> Work:
    """Count the work of ``spmv_window`` (csrc/kernels/spmv_window.cpp); a step is one strip."""
    m, k = shape
    lanes, tile = 16, 4
    # A strip ends when it is full or at the end of its window, whichever comes first; it begins anywhere in a vector.
    strips = m * k * density / min(lanes * 0.98, max(1.0, density * (window - lanes / 2)))
    strips, tiles = max(strips, m / 4), math.ceil(n / tile)
    copies = 0 if n == 1 else k / lanes * n * 2 * threads  # each part makes its own
    amounts = np.array([strips * window / lanes * n, strips * tiles, m / 4 * tiles, m / 4 * n, copies, 0])
    matrix_bytes = strips * (20 + lanes * value_bytes) * tiles
    return Work(amounts, matrix_bytes, float(min(threads, max(1, m // 32))))


def kernel_us(machine: Machine, kernel: str, work: Work) -> float:
    """Predict a kernel's time, microseconds."""
    prices = machine.kernels[kernel]
    speed = work.busy if work.busy == 1 else work.busy * machine.thread_efficiency
    compute = prices.total_ns(work.amounts) / 1000 / speed
    read = prices.read * work.matrix_bytes / 1000 if work.matrix_bytes > machine.cache_bytes else 0.0
    return machine.call_us + max(compute, read)


def dense_us(machine: Machine, m: int, k: int, n: int, threads: int) -> float:
    """Predict the time of the faster of ``torch.mm(w, b)`` and ``F.linear(x, w)``, microseconds."""
    points = machine.dense_gflops
    rate = float(np.interp(math.log2(max(n, 1)), [math.log2(p[0]) for p in points], [p[1] for p in points]))
    speed = 1.0 if threads == 1 else threads * machine.thread_efficiency
    compute = 2 * m * k * n / (rate * speed) / 1000
    matrix_bytes = 4 * m * k
    read = matrix_bytes / machine.dense_bytes_per_ns / 1000 if matrix_bytes > machine.cache_bytes else 0.0
    return machine.call_us + max(compute, read)

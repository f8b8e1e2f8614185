"""The cost model: time of a product from counts of what its kernel does, times a few constants of the machine.

A kernel of the panel family (csrc/kernels/spmm_panels.h) does five kinds of work, each counted here from the structure
alone; a machine is the price of one of each. All prices are positive and the model is linear in them, so they are
fitted by non-negative least squares (:mod:`tamis.tuning.fit`).
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
    m, k : int
        Shape.
    steps : float
        Steps of the inner loop over the whole matrix, padding included; a step is four values.
    groups : float
        Groups of four rows, summed over blocks of columns.
    parts, block_cols : int
        Parts of rows, and columns per block.
    """

    m: int
    k: int
    steps: float
    groups: float
    parts: int
    block_cols: int


@dataclass(frozen=True)
class KernelPrices:
    """Nanoseconds of one thread for one unit of each kind of work of a panel kernel."""

    fma: float  # one step in one vector: four vector FMAs and their loads
    step: float  # one step, whatever the width: ids, values, loop
    group: float  # one group: header, loop exit
    sums: float  # one vector of four sums, in and out
    slice: float  # one vector of B copied to the slice
    column: float = 0.0  # one step where B has a single column: everything

    def total_ns(self, work: np.ndarray) -> float:
        return float(work @ np.array([self.fma, self.step, self.group, self.sums, self.slice]))


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
        Rate at which a dense matrix-vector product reads its matrix, all threads.
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


def panel_work(structure: Structure, n: int, width: int, panel_vectors: int) -> np.ndarray:
    """Count the five kinds of work of :class:`KernelPrices`, over all threads."""
    vectors = math.ceil(n / width)
    panels = math.ceil(vectors / panel_vectors)
    steps, groups = structure.steps, structure.groups
    copies = structure.k * structure.parts
    return np.array([steps * vectors, steps * panels, groups * panels, groups * vectors, copies * vectors])


def kernel_us(machine: Machine, kernel: str, structure: Structure, n: int, threads: int) -> float:
    """Predict a panel kernel's time, microseconds."""
    if n == 1:
        speed = 1.0 if threads == 1 else min(threads, max(1, structure.parts)) * machine.thread_efficiency
        return machine.call_us + structure.steps * machine.kernels[kernel].column / 1000 / speed
    work = panel_work(structure, n, machine.width, machine.panel_vectors)
    panels = math.ceil(math.ceil(n / machine.width) / machine.panel_vectors)
    units = max(1, panels * structure.parts)
    speed = units / math.ceil(units / min(threads, units))  # threads that have work, on average
    speed = speed if speed == 1 else speed * machine.thread_efficiency
    return machine.call_us + machine.kernels[kernel].total_ns(work) / 1000 / speed


def dense_us(machine: Machine, m: int, k: int, n: int, threads: int) -> float:
    """Predict the time of the faster of ``torch.mm(w, b)`` and ``F.linear(x, w)``, microseconds."""
    points = machine.dense_gflops
    rate = float(np.interp(math.log2(max(n, 1)), [math.log2(p[0]) for p in points], [p[1] for p in points]))
    speed = 1.0 if threads == 1 else threads * machine.thread_efficiency
    compute = 2 * m * k * n / (rate * speed) / 1000
    read = 4 * m * k / machine.dense_bytes_per_ns / 1000
    return machine.call_us + max(compute, read)

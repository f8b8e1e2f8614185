"""The constants of a machine: those that `tamis tune` measured here, else those shipped for its instruction set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tamis.storage import STRICT

Prices = Mapping[str, float]  # kind of work -> nanoseconds of one thread for one unit of it


@dataclass(frozen=True, eq=False)
class Work:
    """What a call does.

    Attributes
    ----------
    amounts : kind of work -> units of it, over all threads
    matrix_bytes : float
        Bytes of the sparse operand that it reads.
    busy : float
        Threads that have work, on average.
    """

    amounts: Mapping[str, float]
    matrix_bytes: float = 0.0
    busy: float = 1.0


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
    kernels : kernel name -> prices
        Of the kernels that were tuned here; the others have those of their record.
    source : str
        Where the constants come from, as `plan.reason` says it.
    cache_bytes : int
        Matrices of fewer bytes are expected to stay in cache between calls.
    """

    __pydantic_config__ = STRICT

    name: str
    width: int
    panel_vectors: int
    call_us: float
    thread_efficiency: float
    dense_gflops: tuple[tuple[int, float], ...]
    dense_bytes_per_ns: float
    kernels: Mapping[str, Prices] = field(default_factory=dict)
    source: str = "shipped constants"
    cache_bytes: int = 8 << 20

    def time_us(self, prices: Prices, work: Work) -> float:
        """Predict a kernel's time, microseconds: the sum of its work at its prices, or the reading of its matrix.

        ``prices["read"]`` is the price of one byte of a matrix that does not stay in cache, all threads together.
        """
        speed = work.busy if work.busy == 1 else work.busy * self.thread_efficiency
        compute = sum(prices[kind] * amount for kind, amount in work.amounts.items()) / 1000 / speed
        reads = work.matrix_bytes > self.cache_bytes
        return self.call_us + max(
            compute, prices.get("read", 0.02) * work.matrix_bytes / 1000 if reads else 0.0
        )

    def dense_us(self, m: int, k: int, n: int, threads: int) -> float:
        """Predict the time of the faster of ``torch.mm(w, b)`` and ``F.linear(x, w)``, microseconds."""
        points = self.dense_gflops
        rate = float(
            np.interp(math.log2(max(n, 1)), [math.log2(p[0]) for p in points], [p[1] for p in points])
        )
        speed = 1.0 if threads == 1 else threads * self.thread_efficiency
        compute = 2 * m * k * n / (rate * speed) / 1000
        matrix_bytes = 4 * m * k
        reads = matrix_bytes > self.cache_bytes
        return self.call_us + max(compute, matrix_bytes / self.dense_bytes_per_ns / 1000 if reads else 0.0)


# Rates of dense products by number of columns, GFLOP/s a thread.
_DENSE = ((1, 20.0), (4, 26.0), (8, 51.0), (16, 86.0), (32, 99.0), (64, 105.0), (128, 109.0), (512, 109.0))

# Measured by `tamis tune` on a Zen 5 core. They are a prior: another CPU of the same ISA differs by a factor or two,
# mostly the same one for sparse and dense. Prices of kernels stand in their records.
SHIPPED: dict[str, Machine] = {
    name: Machine(name, width, panel_vectors, 6.0, 0.96, _DENSE, 24.0)
    for name, width, panel_vectors in (("avx512", 16, 4), ("avx2", 8, 3), ("baseline", 4, 3))
}

"""What each dataflow of a sparse convolution would cost, from the measured density of every kernel column.

The model knows three things: multiplications at the rate of the kernel that does them, rows moved through memory, and a
fixed price per pair. It ranks; it does not promise microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tamis.ops.kernel_map import KernelMap


@dataclass(frozen=True)
class Prices:
    """Rates of one thread.

    Attributes
    ----------
    gemm_gflops : float
        Dense product of gathered rows.
    blocked_gflops, blocked_pair_ns : float
        Register tiles of the blocked kernel, and what a pair costs besides.
    gather_gb_s : float
        Rows copied into an implicit-GEMM operand, misses included.
    scatter_gb_s : float
        Rows gathered, multiplied and added back one offset at a time.
    """

    gemm_gflops: float
    blocked_gflops: float
    blocked_pair_ns: float
    gather_gb_s: float
    scatter_gb_s: float


# Fitted on lidar and ellipsoid scenes, 16 to 128 channels, to within 25 %; see docs/design on the voxel engine. Only the blocked kernel
# is ours: the other prices are PyTorch's, whatever the ISA.
CPU_PRICES = {
    "avx512": Prices(85, 225, 1.2, 3.0, 5.5),
    "avx2": Prices(85, 117, 0.8, 3.0, 5.5),
    "baseline": Prices(85, 44, 1.8, 3.0, 5.5),
}


@dataclass(frozen=True)
class Prediction:
    """Predicted milliseconds per dataflow, and the offsets the hybrid one would run output-stationary."""

    milliseconds: dict[str, float]
    dense_offsets: list[int]


def predict(kernel_map: KernelMap, c_in: int, c_out: int, prices: Prices, threads: int = 1) -> Prediction:
    """Price all dataflows of one layer; the hybrid one at its best split by L1 class."""
    counts, rows = kernel_map.pair_counts, kernel_map.out_rows
    distances = kernel_map.l1_distances()
    splits = []
    for limit in range(max(distances, default=0) + 2):
        dense = [offset for offset, distance in enumerate(distances) if distance < limit]
        sparse = [counts[offset] for offset, distance in enumerate(distances) if distance >= limit]
        time = _output_stationary(rows * len(dense), c_in, c_out, prices)
        splits.append((time + _weight_stationary(sparse, c_in, c_out, prices), dense))
    inner = splits[1:-1] or splits  # the first and the last are not hybrid
    hybrid, dense_offsets = min(inner, key=lambda split: split[0])
    flops = 2e-6 * sum(counts) * c_in * c_out
    seconds = {
        "blocked": flops / prices.blocked_gflops + 1e-6 * sum(counts) * prices.blocked_pair_ns,
        "output_stationary": splits[-1][0],
        "weight_stationary": splits[0][0],
        "hybrid": hybrid,
    }
    return Prediction({name: value / threads for name, value in seconds.items()}, dense_offsets)


def _output_stationary(rows: int, c_in: int, c_out: int, prices: Prices) -> float:
    return rows * (2e-6 * c_in * c_out / prices.gemm_gflops + 4e-6 * c_in / prices.gather_gb_s)


def _weight_stationary(counts: Sequence[int], c_in: int, c_out: int, prices: Prices) -> float:
    moved = 4e-6 * (c_in + 3 * c_out) / prices.scatter_gb_s
    return sum(counts) * (2e-6 * c_in * c_out / prices.gemm_gflops + moved)

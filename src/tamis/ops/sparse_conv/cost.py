"""What a sparse convolution is asked to do, and how much work each dataflow makes of it.

From the measured density of every offset's list. The model ranks; it does not promise microseconds. Kinds of work:

- ``mac``: one multiplication and addition
- ``pair``: one pair, whatever its channels: its row numbers, its share of loads and stores of sums
- ``gathered``: one float of a row that is copied into an implicit-GEMM operand, misses included
- ``moved``: one float of a row that is gathered, multiplied and added back one offset at a time
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from tamis.ops.kernel_map import KernelMap, density_by_l1, l1_distances
from tamis.tuning import Machine, Prices, Work

# PyTorch's products, gathers and scatters on one thread, whatever the ISA: 85 GFLOP/s, 3.0 and 5.5 GB/s. Fitted on lidar and
# ellipsoid scenes, 16 to 128 channels, to within 40 %; see docs/design/020-voxel-engine.md.
TORCH_PRICES: Prices = {"mac": 0.0235, "gathered": 1.33, "moved": 0.73}
HYBRID = "reference/sparse_conv_hybrid"


@dataclass(frozen=True, eq=False)
class ConvProblem:
    """A convolution as the choice sees it: everything but the features.

    Attributes
    ----------
    rows : int
        Of the output.
    pair_counts : list of int
        Of each offset.
    offsets : Tensor, shape (kernel_volume, 3), int64
    c_in, c_out, groups : int
        Channels of all groups.
    dtype, device : of the features
    machine, threads : what it will run on
    """

    rows: int
    pair_counts: list[int]
    offsets: Tensor = field(repr=False)
    c_in: int
    c_out: int
    groups: int
    dtype: torch.dtype
    device: torch.device
    machine: Machine
    threads: int

    @classmethod
    def of(
        cls,
        kernel_map: KernelMap,
        c_in: int,
        c_out: int,
        groups: int,
        dtype: torch.dtype,
        machine: Machine,
        threads: int,
    ) -> ConvProblem:
        """The problem of one layer over one kernel map."""
        counts, offsets, device = kernel_map.pair_counts, kernel_map.offsets, kernel_map.first.device
        return cls(kernel_map.out_rows, counts, offsets, c_in, c_out, groups, dtype, device, machine, threads)

    @cached_property
    def l1_distances(self) -> list[int]:
        """L1 distance of each offset, counted in kernel taps."""
        return l1_distances(self.offsets)

    @property
    def pairs(self) -> int:
        return sum(self.pair_counts)

    @property
    def matrix(self) -> int:
        """Multiplications and additions of one pair."""
        return self.c_in * self.c_out // self.groups

    def density_by_l1(self) -> dict[int, float]:
        """Mean share of outputs with a neighbour, by L1 distance of the offset."""
        return density_by_l1(self.l1_distances, self.pair_counts, self.rows)

    def __repr__(self) -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        volume = len(self.pair_counts)
        return f"{self.pairs} pairs of {volume} offsets, {self.c_in} -> {self.c_out}, {dtype}, {self.device}"


def blocked_work(p: ConvProblem) -> Work:
    """Every pair once."""
    return Work({"mac": p.pairs * p.matrix, "pair": p.pairs}, busy=p.threads)


def output_stationary_work(p: ConvProblem) -> Work:
    """Every output and offset, whether there is a neighbour or not."""
    return _mixed_work(p, range(len(p.pair_counts)))


def weight_stationary_work(p: ConvProblem) -> Work:
    """Every pair once, its rows moved three times."""
    return _mixed_work(p, ())


def hybrid_work(p: ConvProblem) -> Work:
    """The cheapest split by L1 class."""
    return _mixed_work(p, dense_offsets(p))


def dense_offsets(p: ConvProblem) -> list[int]:
    """Offsets that the hybrid dataflow runs output-stationary: those within the L1 distance that costs least."""
    prices = p.machine.kernels.get(HYBRID, TORCH_PRICES)
    farthest = max(p.l1_distances, default=0)
    limits = range(1, farthest + 1) or (farthest + 1,)  # neither none nor all, where there is a choice
    splits = [[k for k, distance in enumerate(p.l1_distances) if distance < limit] for limit in limits]
    return min(splits, key=lambda dense: p.machine.time_us(prices, _mixed_work(p, dense)))


def _mixed_work(p: ConvProblem, dense: Iterable[int]) -> Work:
    """``dense`` offsets output-stationary, the others weight-stationary."""
    inside = set(dense)
    executed = p.rows * len(inside)
    pairs = sum(count for offset, count in enumerate(p.pair_counts) if offset not in inside)
    amounts = {
        "mac": (executed + pairs) * p.matrix,
        "gathered": executed * p.c_in,
        "moved": pairs * (p.c_in + 3 * p.c_out),
    }
    return Work(amounts, busy=p.threads)

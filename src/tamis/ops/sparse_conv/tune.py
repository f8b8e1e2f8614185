"""Measure the prices of sparse convolution on this machine, in seconds. An act of the user, never a side effect."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from tamis.formats.packed_coords import choose_layout, pack
from tamis.kernels.cpu import isa
from tamis.ops.kernel_map import KernelMap, build_map, kernel_offsets
from tamis.ops.sparse_conv.call import sparse_conv
from tamis.ops.sparse_conv.kernels import KERNELS, dataflow_of
from tamis.ops.sparse_conv.plan import Dataflow, plan_conv
from tamis.tuning import Cell, Prices, fit_prices, machine_for, threads_set, time_interleaved

CHANNELS = ((16, 16), (32, 32), (32, 64), (64, 64), (96, 96))

Progress = Callable[[str, int, int], None]


def tune_sparse_conv(progress: Progress = lambda what, done, total: None) -> dict[str, Prices]:
    """Measure what a unit of each kind of work costs each kernel, on one thread: by name, as ``Machine.kernels`` holds them."""
    found = {}
    with threads_set(1):
        maps = [_map_of(coords) for coords in (_surface(), _scattered(), _solid())]
        call_ns = 1000 * machine_for(isa(), 1).call_us
        for done, kernel in enumerate(KERNELS):
            progress(kernel.name, done, len(KERNELS))
            dataflow: Dataflow = dataflow_of(kernel.name)  # type: ignore[assignment]
            cells = [_cell(found_map, *channels, dataflow) for found_map, channels in product(maps, CHANNELS)]
            found[kernel.name] = fit_prices(cells, call_ns)
    return found


def _cell(kernel_map: KernelMap, c_in: int, c_out: int, dataflow: Dataflow) -> Cell:
    plan = plan_conv(kernel_map, c_in, c_out, dataflow=dataflow)
    feats, weight = torch.randn(kernel_map.in_rows, c_in), torch.randn(kernel_map.kernel_volume, c_in, c_out)
    call = {"ours": lambda: sparse_conv(feats, weight, kernel_map, dataflow=dataflow)}
    time_us = time_interleaved(call, budget_s=0.03, min_samples=3)["ours"].median_us
    return Cell(plan.choice.kernel.work(plan.problem), time_us * 1000)


def _map_of(coords: Tensor) -> KernelMap:
    """The submanifold map of a 3 x 3 x 3 kernel."""
    layout = choose_layout(coords)
    keys = pack(coords, layout).sort().values
    return build_map(keys, keys, layout, kernel_offsets((3, 3, 3)), submanifold=True)


def _surface() -> Tensor:
    """A slanted sheet: near neighbours are dense, far ones rare, as on scanned surfaces."""
    x, y = torch.meshgrid(torch.arange(100), torch.arange(100), indexing="ij")
    return torch.stack([torch.zeros_like(x), x, y, (x + y) // 3], -1).reshape(-1, 4).int()


def _scattered() -> Tensor:
    """One cell in ten, at random."""
    cells = torch.rand(40, 40, 40, generator=torch.Generator().manual_seed(0)) < 0.1
    return torch.nn.functional.pad(cells.nonzero(), (1, 0)).int()


def _solid() -> Tensor:
    """A full cube."""
    return torch.nn.functional.pad(torch.ones(16, 16, 16).nonzero(), (1, 0)).int()

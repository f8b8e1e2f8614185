"""Section "layers": one submanifold convolution, its map already made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from math import sqrt

import torch
from torch import Tensor

from tamis.bench.measurement import Unavailable, relative_error, rounding_bound
from tamis.bench.voxel.peers import dense_mm, gather_mm, spconv_conv
from tamis.bench.voxel.rows import VoxelRow
from tamis.bench.voxel.scenes import coordinates
from tamis.formats.packed_coords import unpack
from tamis.ops.kernel_map import KernelMap, build_map, kernel_offsets
from tamis.ops.sparse_conv import DATAFLOWS, sparse_conv
from tamis.tuning import time_interleaved
from tamis.voxel import SortedKeys

#: (scene, c_in, c_out, kernel size)
Cell = tuple[str, int, int, int]
_PAPER = (
    (4, 32, 3),
    (16, 32, 3),
    (32, 32, 3),
    (32, 64, 3),
    (128, 128, 3),
    (16, 16, 5),
    (32, 32, 5),
    (32, 64, 5),
)
_MORE = ((16, 16, 3), (64, 64, 3), (96, 96, 3))
_REFERENCES_UP_TO = 27 * 64 * 64  # weights: above, the readable dataflows take seconds and tell nothing new
GRIDS: dict[str, tuple[Cell, ...]] = {
    "quick": tuple(("street_0.05", *config) for config in ((4, 32, 3), (32, 32, 3), (64, 64, 3))),
    "default": tuple((scene, *c) for scene in ("ellipsoid", "street_0.05") for c in (*_PAPER, *_MORE)),
}
GRIDS["full"] = (
    *GRIDS["default"],
    *(
        (scene, *config)
        for scene in ("room_0.02", "random_1e5", "suburb_waymo", "object")
        for config in _PAPER
    ),
)


def measure(cell: Cell, share_s: float) -> Iterator[VoxelRow]:
    """Rows of all contestants on one cell, gated against float64."""
    scene, c_in, c_out, kernel = cell
    raw = coordinates(scene)
    packed = SortedKeys.of(raw, guard=(kernel // 2 + 1,) * 3)
    keys, layout = packed.keys, packed.layout
    make_map = partial(build_map, keys, keys, layout, kernel_offsets((kernel,) * 3), submanifold=True)
    kernel_map = make_map()
    _ = kernel_map.cuts
    generator = torch.Generator().manual_seed(0)
    feats = torch.randn(len(keys), c_in, generator=generator)
    weight = torch.randn(kernel**3, c_in, c_out, generator=generator) / sqrt(c_in * kernel**3)
    expected, magnitude = (
        sparse_conv(x.double(), w.double(), kernel_map, dataflow="weight_stationary")
        for x, w in ((feats, weight), (feats.abs(), weight.abs()))
    )
    flops = 2 * kernel_map.pairs * c_in * c_out
    blank = VoxelRow(
        section="layers",
        cell=f"{scene}_{c_in}x{c_out}_k{kernel}",
        scene=scene,
        voxels=len(keys),
        contestant="",
        pairs=kernel_map.pairs,
        kernel=f"{kernel}x{kernel}x{kernel}",
        c_in=c_in,
        c_out=c_out,
        tolerance=rounding_bound(kernel**3 * c_in),
        nbytes=kernel_map.nbytes,
    )
    calls: dict[str, Callable[[], Tensor]] = {}
    rows: dict[str, VoxelRow] = {}
    for name, prepare in _contestants(feats, weight, kernel_map, unpack(keys, layout)).items():
        try:
            call = prepare()
        except Unavailable as reason:
            yield replace(blank, contestant=name, status="unavailable", note=str(reason))
            continue
        rows[name] = replace(blank, contestant=name)
        if name != "dense_mm":
            error = relative_error(call(), expected, magnitude)
            rows[name] = replace(rows[name], max_error=error)
            if not error <= (blank.tolerance or 0):
                yield replace(rows[name], status="refused", note=f"wrong: error {error:.1e}; not timed")
                continue
        calls[name] = call
    map_us = time_interleaved({"map": lambda: make_map().cuts}, budget_s=share_s)["map"].median_us
    timings = time_interleaved(calls, budget_s=share_s * len(calls))
    for name, timing in timings.items():
        row = rows[name].timed(timing, timings["tamis"].median_us)
        made = map_us if name == "tamis" else None
        yield replace(row, feature_us=timing.median_us, map_us=made, gflops=flops / timing.median_us / 1e3)


def _contestants(
    feats: Tensor, weight: Tensor, kernel_map: KernelMap, coords: Tensor
) -> dict[str, Callable[[], Callable[[], Tensor]]]:
    """Name to a function that prepares the call."""

    def flow(dataflow: str | None) -> Callable[[], Callable[[], Tensor]]:
        return lambda: partial(sparse_conv, feats, weight, kernel_map, dataflow=dataflow)  # type: ignore[arg-type]

    small = weight.numel() <= _REFERENCES_UP_TO
    references = [name for name in DATAFLOWS if name != "blocked"] if small else []
    return {
        "tamis": flow(None),
        **{f"reference_{name}": flow(name) for name in references},
        "gather_mm": lambda: gather_mm(feats, weight, kernel_map),
        "dense_mm": lambda: dense_mm(kernel_map, weight.shape[1], weight.shape[2]),
        "spconv": lambda: spconv_conv(coords, feats, weight, torch.get_num_threads()),
        "spconv_one_thread": lambda: spconv_conv(coords, feats, weight, 1),
    }

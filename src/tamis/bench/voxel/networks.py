"""Sections "networks" and "streaming": whole networks from raw int32 coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from time import perf_counter

import numpy as np
import torch
from torch import nn

from tamis.bench.voxel.peers import dense_mm
from tamis.bench.voxel.rows import VoxelRow
from tamis.bench.voxel.scenes import coordinates, frame
from tamis.ops.kernel_map import KernelMap, build_map
from tamis.tuning import Timing, time_interleaved
from tamis.voxel import Plan, SortedKeys, VoxelTensor, networks, plan

#: (network, scene)
Cell = tuple[str, str]
GRIDS: dict[str, tuple[Cell, ...]] = {
    "quick": (("SparseResNet21D", "street_0.10"),),
    "default": (
        ("SparseResNet21D", "street_0.05"),
        ("MinkUNet34", "street_0.05"),
        ("SparseResUNet42", "street_0.05"),
        ("VoxelBackBone8x", "street_0.10"),
    ),
}
GRIDS["full"] = (
    *GRIDS["default"],
    ("SparseResNetLarge", "street_0.05"),
    ("VoxelResBackBone8x", "street_0.10"),
    ("MinkUNet34", "room_0.02"),
    ("SparseResUNet42", "suburb_waymo"),
)
FRAMES = {"quick": 10, "default": 100, "full": 100}
_CHANNELS = 4
_REFERENCE_FLOPS = 20e9  # the readable dataflows would take minutes on larger networks
_STREAM_VOXEL_M = 0.1


@torch.no_grad()
def measure(cell: Cell, share_s: float) -> Iterator[VoxelRow]:
    """Rows of one network: as it is, with maps made layer by layer, and with another dataflow."""
    name, scene = cell
    coords = coordinates(scene)
    network = _network(name)
    x = VoxelTensor(coords, torch.randn(len(coords), _CHANNELS, generator=torch.Generator().manual_seed(0)))
    made = plan(network, coords)
    calls: dict[str, Callable[[], object]] = {
        "end to end": lambda: network(x),
        "sort": partial(_sorted, made),
        "plan": lambda: _with_cuts(plan(network, coords)),
        "features": lambda: network(x, plan=made),
        "layer by layer": partial(_maps_layer_by_layer, made),
    }
    timings = time_interleaved(calls, budget_s=share_s * len(calls), min_samples=3)
    us = {what: timing.median_us for what, timing in timings.items()}
    row = VoxelRow(
        section="networks",
        cell=f"{name}_{scene}",
        scene=scene,
        voxels=len(coords),
        contestant="tamis",
        pairs=sum(found.pairs for found in _layer_maps(made)),
        kernel=name,
        nbytes=made.nbytes,
        sort_us=us["sort"],
        map_us=us["plan"] - us["sort"],
        feature_us=us["features"],
        gemm_us=_useful_gemm_us(made, share_s),
    )
    row = replace(row, gflops=_useful_flops(made) / us["features"] / 1e3)
    yield row.timed(timings["end to end"], us["end to end"])
    unshared = us["end to end"] - us["plan"] + us["layer by layer"]
    yield replace(
        row.timed(timings["end to end"], us["end to end"]),
        contestant="tamis_maps_layer_by_layer",
        detail="every layer sorts and searches for itself; by addition of measured parts",
        map_us=us["layer by layer"],
        sort_us=None,
        median_us=unshared,
        ratio=unshared / us["end to end"],
        q1_us=None,
        q3_us=None,
    )
    if _useful_flops(made) <= _REFERENCE_FLOPS:
        yield from _other_dataflows(network, x, row, share_s)


def _other_dataflows(network: nn.Module, x: VoxelTensor, row: VoxelRow, share_s: float) -> Iterator[VoxelRow]:
    """Weight-stationary everywhere (torch gather, mm, index_add) and output-stationary everywhere."""
    expected = network(x, plan=plan(network, x.coords, dataflow="weight_stationary"))
    found = network(x)
    for dataflow in ("weight_stationary", "output_stationary"):
        made = plan(network, x.coords, dataflow=dataflow)
        timing = time_interleaved({"run": partial(network, x, plan=made)}, budget_s=share_s, min_samples=1)[
            "run"
        ]
        yield replace(
            row.timed(timing, row.feature_us),
            contestant=f"reference_{dataflow}",
            detail="features only, against our features",
            max_error=_difference(found, expected),
            feature_us=timing.median_us,
            gflops=None,
        )


@torch.no_grad()
def stream(network_name: str, frames: int) -> Iterator[VoxelRow]:
    """One row: latencies over frames that are all new, each once, from raw coordinates to features."""
    network = _network(network_name)
    clouds = [frame(number, _STREAM_VOXEL_M) for number in range(frames + 3)]
    feats = [torch.randn(len(coords), _CHANNELS) for coords in clouds]
    taken = []
    for coords, values in zip(clouds, feats, strict=True):
        start = perf_counter()
        network(VoxelTensor(coords, values))
        taken.append((perf_counter() - start) * 1e6)
    p50, p95, p99 = np.percentile(
        taken[3:], (50, 95, 99)
    )  # the first three warm code and allocator, not data
    yield VoxelRow(
        section="streaming",
        cell=f"{network_name}_{frames}_frames",
        scene=f"street_{_STREAM_VOXEL_M:.2f}",
        voxels=round(sum(map(len, clouds)) / len(clouds)),
        contestant="tamis",
        kernel=network_name,
        median_us=float(p50),
        p95_us=float(p95),
        p99_us=float(p99),
        samples=frames,
        detail="every frame another street; plan made anew",
    )


def _network(name: str) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = getattr(networks, name)(_CHANNELS)
    return made.eval()


def _layer_maps(made: Plan) -> Iterator[KernelMap]:
    return (made.maps[record.map.key, record.map.transposed] for record in made.required.layers)


def _with_cuts(made: Plan) -> Plan:
    for found in made.maps.values():
        _ = found.cuts
    return made


def _sorted(made: Plan) -> SortedKeys:
    return SortedKeys.of(made.coords, guard=made.layout.guard, lattice=made.layout.lattice)


def _maps_layer_by_layer(made: Plan) -> None:
    """What a network without a shared plan does: derive levels on the way, sort, search and cut once for every layer."""
    made.required.build_levels(made.layout, made.level_keys[0])
    for record in made.required.layers:
        key = record.map.key
        sources, targets = (made.level_keys[level] for level in (key.source, key.target))
        if key.source == 0:
            _sorted(made)
        _ = build_map(sources, targets, made.layout, key.offsets(), submanifold=key.source == key.target).cuts


def _useful_flops(made: Plan) -> int:
    pairs = zip(_layer_maps(made), made.required.layers, strict=True)
    return sum(2 * found.pairs * record.c_in * record.c_out for found, record in pairs)


def _useful_gemm_us(made: Plan, share_s: float) -> float:
    """Time of one ``torch.mm`` per layer with that layer's FLOPs and channels; equal layers are timed once."""
    shapes: dict[tuple[int, int, int, int], tuple[KernelMap, int]] = {}
    for found, record in zip(_layer_maps(made), made.required.layers, strict=True):
        key = (found.pairs, found.out_rows, record.c_in, record.c_out)
        shapes[key] = (found, shapes.get(key, (found, 0))[1] + 1)
    total = 0.0
    for (_, _, c_in, c_out), (found, times) in shapes.items():
        timing: Timing = time_interleaved({"mm": dense_mm(found, c_in, c_out)}, budget_s=share_s / 10)["mm"]
        total += times * timing.median_us
    return total


def _difference(found: object, expected: object) -> float:
    """Largest difference relative to the largest value."""
    a, b = (y["encoded"].feats if isinstance(y, dict) else y.feats for y in (found, expected))  # type: ignore[attr-defined]
    return float((a - b).abs().max() / b.abs().max())

"""Section "maps": kernel maps alone, on sorted keys, with packing and sorting told beside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from torch import Tensor

from tamis.bench.measurement import Entrant, Unavailable, time_blocks
from tamis.bench.voxel.peers import (
    MapProblem,
    MapSearch,
    hash_packed,
    hash_unpacked,
    searchsorted,
    spconv_pairs,
)
from tamis.bench.voxel.rows import VoxelRow
from tamis.bench.voxel.scenes import coordinates
from tamis.formats.packed_coords import KeyLayout, unpack
from tamis.ops.kernel_map import KernelMap, build_map, kernel_offsets, minkowski_level
from tamis.tuning import time_interleaved
from tamis.voxel import SortedKeys

#: (scene, kernel size, stride)
Cell = tuple[str, int, int]
GRIDS: dict[str, tuple[Cell, ...]] = {
    "quick": (("ellipsoid", 3, 1), ("street_0.05", 3, 1)),
    "default": tuple(
        (scene, kernel, stride)
        for scene in ("ellipsoid", "street_0.05", "room_0.02", "random_1e5")
        for kernel, stride in ((3, 1), (5, 1), (2, 2), (3, 2))
    ),
}
GRIDS["full"] = (
    *GRIDS["default"],
    *((scene, 3, 1) for scene in ("object", "random_1e4", "street_0.10", "suburb_waymo", "random_1e6")),
    *((scene, 3, 1) for scene in ("hall_0.02", "random_2e6")),
)

#: Equally dense, ever larger.
SCALING: dict[str, tuple[str, ...]] = {
    "quick": ("cube_125k", "cube_500k"),
    "default": ("cube_125k", "cube_500k", "cube_2M"),
    "full": ("cube_125k", "cube_500k", "cube_2M"),
}

_PEERS: dict[str, Callable[[MapProblem], MapSearch]] = {
    "searchsorted": searchsorted,
    "hash_packed": hash_packed,
    "hash_unpacked": hash_unpacked,
    "spconv": spconv_pairs,
}


def measure(cell: Cell, share_s: float) -> Iterator[VoxelRow]:
    """Rows of all contestants on one cell, gated against binary search."""
    scene, kernel, stride = cell
    raw = coordinates(scene)
    problem, layout = _problem(raw, kernel, stride)
    ours = _ours(problem, layout, stride)
    oracle = searchsorted(problem)
    expected = oracle.table(oracle.run())
    sort_us = time_interleaved({"sort": partial(_pack_and_sort, raw, kernel, stride)}, budget_s=share_s)[
        "sort"
    ].median_us
    blank = VoxelRow(
        section="maps",
        cell=f"{scene}_k{kernel}_s{stride}",
        scene=scene,
        voxels=len(raw),
        contestant="",
        pairs=int((expected >= 0).sum()),
        kernel=f"{kernel}x{kernel}x{kernel} stride {stride}",
        tolerance=0.0,
    )
    admitted: dict[str, MapSearch] = {}
    rows: dict[str, VoxelRow] = {}
    for name, search in ours.items():
        row = replace(blank, contestant=name)
        if isinstance(search, Unavailable):
            yield replace(row, status="unavailable", note=str(search))
            continue
        found = search.run()
        wrong = int((search.table(found) != expected).sum())
        nbytes = found.nbytes if isinstance(found, KernelMap) else None
        rows[name] = replace(row, max_error=float(wrong), detail=search.detail, nbytes=nbytes)
        if wrong:
            yield replace(rows[name], status="refused", note=f"{wrong} entries differ; not timed")
            continue
        admitted[name] = search
    entrants = [Entrant(name, search.run, search.pool, name == "tamis") for name, search in admitted.items()]
    for timed in time_blocks(entrants, share_s):
        sorts = sort_us if timed.name in ("tamis", "tamis_unmirrored", "searchsorted") else None
        row = rows[timed.name].timed(timed.timing, timed.baseline_us)
        yield replace(row, sort_us=sorts, map_us=timed.timing.median_us, note=timed.note)


def scaling(scene: str, share_s: float) -> Iterator[VoxelRow]:
    """One row of our own: does a map cost as much per voxel when there are many? ``ratio`` is not told."""
    raw = coordinates(scene)
    problem, layout = _problem(raw, 3, 1)
    build = partial(build_map, problem.sources, problem.targets, layout, problem.steps, submanifold=True)
    calls: dict[str, Callable[[], object]] = {"sort": partial(_pack_and_sort, raw, 3, 1), "map": build}
    timings = time_interleaved(calls, budget_s=2 * share_s, min_samples=5)
    found = build()
    row = VoxelRow(
        section="scaling",
        cell=f"{scene}_k3_s1",
        scene=scene,
        voxels=len(raw),
        contestant="tamis",
        pairs=found.pairs,
        kernel="3x3x3 stride 1",
        nbytes=found.nbytes,
        detail=f"{1e3 * timings['map'].median_us / len(raw):.1f} ns a voxel",
    )
    map_us = timings["map"].median_us
    yield replace(row.timed(timings["map"], None), sort_us=timings["sort"].median_us, map_us=map_us)


def _ours(problem: MapProblem, layout: KeyLayout, stride: int) -> dict[str, MapSearch | Unavailable]:
    """Every contestant by name; an :class:`Unavailable` in place of those that cannot take part."""

    def table(found: KernelMap) -> Tensor:
        return found.out_in

    build = partial(build_map, problem.sources, problem.targets, layout, problem.steps)
    found: dict[str, MapSearch | Unavailable] = {
        "tamis": MapSearch(partial(build, submanifold=stride == 1), table, detail="one-shot merge, mirrored")
    }
    if stride == 1:
        found["tamis_unmirrored"] = MapSearch(
            partial(build, submanifold=False), table, detail="one-shot merge"
        )
    for name, make in _PEERS.items():
        try:
            found[name] = make(problem)
        except Unavailable as reason:
            found[name] = reason
    return found


def _problem(raw: Tensor, kernel: int, stride: int) -> tuple[MapProblem, KeyLayout]:
    steps = kernel_offsets((kernel,) * 3)
    packed = _pack_and_sort(raw, kernel, stride)
    keys, layout = packed.keys, packed.layout
    targets = keys if stride == 1 else minkowski_level(keys, layout, (stride,) * 3)
    offsets = [layout.offset_key(*step) for step in steps.tolist()]
    problem = MapProblem(keys, targets, offsets, steps, unpack(keys, layout), unpack(targets, layout), stride)
    return problem, layout


def _pack_and_sort(raw: Tensor, kernel: int, stride: int) -> SortedKeys:
    return SortedKeys.of(raw, guard=(kernel // 2 + stride,) * 3, lattice=(stride,) * 3)

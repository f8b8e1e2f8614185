"""The engines that maps and convolutions are compared with: torch, a hash table in numba, spconv's CPU wheel.

Each map search returns a call that yields the dense table (outputs, kernel_volume), -1 for none, or pairs that
``table`` turns into it outside of the clock.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tamis.bench.measurement import Pool, Unavailable
from tamis.ops.kernel_map import KernelMap


@dataclass(frozen=True)
class MapSearch:
    """A timed call, and how its result becomes a table of shape (outputs, kernel_volume)."""

    run: Callable[[], Any]
    table: Callable[[Any], Tensor]
    pool: Pool = "torch"
    detail: str = ""


@dataclass(frozen=True)
class MapProblem:
    """Sorted distinct keys of inputs and outputs, offsets as keys and as steps, and the coordinates they stand for."""

    sources: Tensor
    targets: Tensor
    offset_keys: list[int]
    steps: Tensor
    source_coords: Tensor
    target_coords: Tensor
    stride: int


def searchsorted(problem: MapProblem) -> MapSearch:
    """One binary search per output and offset with ``torch.searchsorted``."""

    def run() -> list[Tensor]:
        rows = []
        for offset in problem.offset_keys:
            queries = problem.targets + offset
            found = torch.searchsorted(problem.sources, queries, out_int32=True).clamp_(
                max=len(problem.sources) - 1
            )
            rows.append(torch.where(problem.sources[found] == queries, found, -1))
        return rows

    return MapSearch(run, lambda rows: torch.stack(rows, 1), detail="torch.searchsorted per offset")


def hash_packed(problem: MapProblem) -> MapSearch:
    """Open addressing over packed keys: insert every input, probe every output and offset; numba, all threads."""
    loops = _loops()
    sources, targets = problem.sources.long().numpy(), problem.targets.long().numpy()
    offsets = np.array(problem.offset_keys)
    return MapSearch(
        lambda: loops.packed(sources, targets, offsets),
        torch.from_numpy,
        "own",
        "linear probing, load factor <= 0.5",
    )


def hash_unpacked(problem: MapProblem) -> MapSearch:
    """The same over three int32 columns: what packing saves."""
    loops = _loops()
    sources = np.ascontiguousarray(problem.source_coords[:, 1:].numpy())
    targets = np.ascontiguousarray(problem.target_coords[:, 1:].numpy())
    steps = problem.steps.int().numpy()
    return MapSearch(
        lambda: loops.unpacked(sources, targets, steps), torch.from_numpy, "own", "linear probing on x, y, z"
    )


def spconv_pairs(problem: MapProblem) -> MapSearch:
    """spconv's CPU search for submanifold maps."""
    ops, algo = _spconv()
    if problem.stride != 1:
        raise Unavailable("spconv's strided rule makes other outputs")
    size = round(len(problem.steps) ** (1 / 3))
    coords = problem.source_coords.clone()
    coords[:, 1:] -= coords[:, 1:].amin(0) - size
    shape = (coords[:, 1:].amax(0) + size + 1).tolist()
    batch = int(coords[:, 0].max()) + 1
    settings = ([size] * 3, [1] * 3, [size // 2] * 3, [1] * 3, [0] * 3, True)

    def run() -> Any:
        return ops.get_indice_pairs(coords, batch, shape, algo, *settings)

    def table(result: Any) -> Tensor:
        pairs = result[
            1
        ]  # (2, kernel_volume, N), each list padded with -1; its counts cover the first half only
        found = torch.full((len(coords), len(problem.steps)), -1, dtype=torch.int32)
        for k in range(len(problem.steps)):
            count = int((pairs[0, k] >= 0).sum())
            found[pairs[1, k, :count].long(), k] = pairs[0, k, :count]
        return found

    return MapSearch(run, table, "own", "spconv 2.3.8, ConvAlgo.Native")


def gather_mm(feats: Tensor, weight: Tensor, kernel_map: KernelMap) -> Callable[[], Tensor]:
    """Per offset: index_select, mm, index_add, with the index lists made beforehand."""
    lists = [kernel_map.pairs_of(k) for k in range(kernel_map.kernel_volume)]

    def run() -> Tensor:
        out = feats.new_zeros(kernel_map.out_rows, weight.shape[2])
        for (rows_in, rows_out), matrix in zip(lists, weight, strict=True):
            if len(rows_in):
                out.index_add_(0, rows_out, feats.index_select(0, rows_in) @ matrix)
        return out

    return run


def dense_mm(kernel_map: KernelMap, c_in: int, c_out: int) -> Callable[[], Tensor]:
    """One ``torch.mm`` with as many FLOPs: outputs x (pairs per output * c_in) x c_out."""
    inner = max(1, round(kernel_map.pairs / max(1, kernel_map.out_rows) * c_in))
    left, right = torch.randn(kernel_map.out_rows, inner), torch.randn(inner, c_out)
    return lambda: torch.mm(left, right)


def spconv_conv(coords: Tensor, feats: Tensor, weight: Tensor, threads: int) -> Callable[[], Tensor]:
    """spconv's submanifold layer on the CPU, its map made beforehand; ``coords`` in the order of ``feats``.

    With more than one thread the layer of 2.3.8 gives wrong sums that differ from run to run (the gate refuses it), so
    the suite also runs it with one.
    """
    _spconv()
    spconv = importlib.import_module("spconv.pytorch")
    algo = importlib.import_module("spconv.core").ConvAlgo.Native
    volume, c_in, c_out = weight.shape
    size = round(volume ** (1 / 3))
    layer = spconv.SubMConv3d(c_in, c_out, size, bias=False, indice_key="bench", algo=algo)
    with torch.no_grad():  # ours (kx ky kz, in, out); theirs (out, kx, ky, kz, in)
        layer.weight.copy_(weight.reshape(size, size, size, c_in, c_out).permute(4, 0, 1, 2, 3))
    shifted = coords.clone()
    shifted[:, 1:] -= shifted[:, 1:].amin(0)
    shape = (shifted[:, 1:].amax(0) + 1).tolist()
    x = spconv.SparseConvTensor(feats, shifted, shape, int(shifted[:, 0].max()) + 1)
    with torch.no_grad():
        kept = layer(x)  # makes the map
    again = kept.replace_feature(feats)

    def run() -> Tensor:
        usual = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            with torch.no_grad():
                out: Tensor = layer(again).features
        finally:
            torch.set_num_threads(usual)
        return out

    return run


def _spconv() -> tuple[Any, Any]:
    try:
        ops = importlib.import_module("spconv.pytorch.ops")
        return ops, importlib.import_module("spconv.core").ConvAlgo.Native
    except ImportError as error:
        raise Unavailable(f"spconv is not installed ({error}); pip install spconv==2.3.8") from error


@dataclass(frozen=True)
class _Loops:
    packed: Callable[..., Any]
    unpacked: Callable[..., Any]


def _loops() -> _Loops:
    """The compiled hash tables."""
    try:
        hashing = importlib.import_module("tamis.bench.voxel.hash_table")
    except ImportError as error:
        raise Unavailable(f"numba is not installed ({error})") from error
    return _Loops(hashing.packed_map, hashing.unpacked_map)

"""Tiles of a large cloud: rectangles in x and y, each with all the voxels that its labels depend on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tamis.voxel.required_maps import required_maps

_BLOCK_CELLS = 16  # voxels are counted per column of this many cells squared
_MOST_BLOCKS = 4_000_000  # of the table of counts; larger blocks for clouds of many kilometres


@dataclass(frozen=True)
class Tile:
    """Points of a tile: those to label, and with them all that lie within the network's reach.

    Attributes
    ----------
    points : Tensor, shape (M,), int64
        Ascending indices into the cloud.
    inner : Tensor, shape (M,), bool
        Which of them belong to the tile; every point of the cloud belongs to one.
    """

    points: Tensor
    inner: Tensor

    @classmethod
    def of_all(cls, points: int) -> Tile:
        """The one tile of a cloud that is not cut."""
        return cls(torch.arange(points), torch.ones(points, dtype=torch.bool))


def reach_cells(network: nn.Module) -> int:
    """How far, in cells of the finest grid, an output voxel of ``network`` can see along an axis.

    The reach of all its layers together: an upper bound, since layers beside each other do not add up.
    """
    return sum(max(layer.map.key.reach()) for layer in required_maps(network).layers)


def tiles(points: Tensor, voxel_size_m: float, margin_cells: int, most_voxels: int) -> Iterator[Tile]:
    """Cut a cloud until no tile has more than ``most_voxels`` voxels, its margin included, or is one block wide.

    Parameters
    ----------
    points : Tensor, shape (N, 3)
    margin_cells : int
        Width of the margin: :func:`reach_cells` of the network that labels them.
    """
    cells = torch.stack([torch.floor(points[:, axis].double() / voxel_size_m).int() for axis in range(3)])
    cells -= cells.amin(1, keepdim=True)
    extent = [size + 1 for size in cells.amax(1).tolist()]
    if math.prod(extent) >= 2**62:  # no key holds them: voxelize has the words for it
        yield Tile.of_all(len(points))
        return
    side = _BLOCK_CELLS
    while -(-extent[0] // side) * -(-extent[1] // side) > _MOST_BLOCKS:
        side *= 2
    counts = _voxels_per_block(cells, extent, side)
    blocks = cells[:2] // side
    del cells
    margin = -(-margin_cells // side)
    for first, last in _cut(counts, margin, most_voxels):
        tile = _tile(blocks, first, last, margin)
        if tile.inner.any():
            yield tile


def _voxels_per_block(cells: Tensor, extent: list[int], side: int) -> Tensor:
    """Table of occupied cells per block, as sums over all blocks below and left of each: shape (rows + 1, columns + 1)."""
    rows, columns = -(-extent[0] // side), -(-extent[1] // side)
    keys = ((cells[0].long() * extent[1] + cells[1]) * extent[2] + cells[2]).numpy()
    keys.sort()  # in place: no order is needed
    distinct = torch.from_numpy(keys[np.flatnonzero(np.diff(keys, prepend=-1))]) // extent[2]
    flat = distinct // extent[1] // side * columns + distinct % extent[1] // side
    table = torch.bincount(flat, minlength=rows * columns).reshape(rows, columns)
    return nn.functional.pad(table.cumsum(0).cumsum(1), (1, 0, 1, 0))


def _cut(counts: Tensor, margin: int, most_voxels: int) -> Iterator[tuple[list[int], list[int]]]:
    """Rectangles of blocks (first, last + 1), cut in halves along the longer side."""
    size = [counts.shape[0] - 1, counts.shape[1] - 1]
    waiting = [([0, 0], size)]
    while waiting:
        first, last = waiting.pop()
        if _voxels_in(counts, first, last, 0) == 0:
            continue
        lengths = [last[0] - first[0], last[1] - first[1]]
        if max(lengths) == 1 or _voxels_in(counts, first, last, margin) <= most_voxels:
            yield first, last
            continue
        axis = lengths.index(max(lengths))
        middle = first[axis] + lengths[axis] // 2
        lower_last, upper_first = list(last), list(first)
        lower_last[axis] = upper_first[axis] = middle
        waiting += [(upper_first, last), (first, lower_last)]


def _voxels_in(counts: Tensor, first: list[int], last: list[int], margin: int) -> int:
    low = [max(0, start - margin) for start in first]
    high = [min(counts.shape[axis] - 1, stop + margin) for axis, stop in enumerate(last)]
    total = (
        counts[high[0], high[1]] - counts[low[0], high[1]] - counts[high[0], low[1]] + counts[low[0], low[1]]
    )
    return int(total)


def _tile(blocks: Tensor, first: list[int], last: list[int], margin: int) -> Tile:
    near = torch.ones(blocks.shape[1], dtype=torch.bool)
    for axis in range(2):
        near &= (blocks[axis] >= first[axis] - margin) & (blocks[axis] < last[axis] + margin)
    points = near.nonzero()[:, 0]
    inner = torch.ones(len(points), dtype=torch.bool)
    for axis in range(2):
        here = blocks[axis, points]
        inner &= (here >= first[axis]) & (here < last[axis])
    return Tile(points, inner)

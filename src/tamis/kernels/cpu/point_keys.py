"""``csrc/kernels/point_keys.cpp``: points in metres to the keys of their cells, and rows of known keys at points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tamis.kernels.cpu.native import address, native
from tamis.kernels.point_grid import PointGrid

_CHUNK = 65536  # points whose range one thread finds


@dataclass(frozen=True, eq=False)
class KeyIndex:
    """Sorted, distinct keys, and where those with equal high bits begin.

    Attributes
    ----------
    keys : Tensor, shape (N,), int32 or int64
    order : Tensor, shape (N,), int32, or None
        The row that each key stands for.
    buckets : Tensor, shape (buckets + 1,), int32
        The first key with ``key >> shift`` of at least so much.
    shift : int
    """

    keys: Tensor
    order: Tensor | None
    buckets: Tensor
    shift: int

    @property
    def native(self) -> Any:
        """The record of ``csrc/kernels.h``; its addresses are valid as long as this one lives."""
        return native().KeyIndex(
            keys=address(self.keys),
            count=len(self.keys),
            order=0 if self.order is None else address(self.order),
            buckets=address(self.buckets),
            bucket_count=len(self.buckets) - 1,
            shift=self.shift,
        )


def key_index(keys: Tensor, order: Tensor | None) -> KeyIndex:
    """Index sorted, distinct, non-negative keys: one to two buckets per key."""
    last = int(keys[-1]) if len(keys) else 0
    shift = max(0, last.bit_length() - len(keys).bit_length())
    per_bucket = torch.bincount(keys >> shift, minlength=(last >> shift) + 1)
    buckets = torch.zeros(len(per_bucket) + 1, dtype=torch.int32, device="cpu")
    torch.cumsum(per_bucket, 0, dtype=torch.int32, out=buckets[1:])
    return KeyIndex(keys.contiguous(), None if order is None else order.int(), buckets, shift)


def point_range(grid: PointGrid) -> tuple[Tensor, int]:
    """Lowest and highest cell along x, y, z, shape (2, 3), float64, not rounded; and how many points are not finite."""
    chunks = max(1, -(-len(grid.points) // _CHUNK))
    found = torch.empty(chunks, 7, dtype=torch.float64, device="cpu")
    _native(grid, torch.int64).range(chunks=chunks, range=address(found))
    return torch.stack([found[:, :3].amin(0), found[:, 3:6].amax(0)]), int(found[:, 6].sum())


def point_keys(grid: PointGrid, dtype: torch.dtype) -> Tensor:
    """The key of every point's cell, shape (points,); all of them fit into the layout."""
    keys = torch.empty(len(grid.points), dtype=dtype, device="cpu")
    _native(grid, dtype).keys(keys=address(keys))
    return keys


def point_rows(grid: PointGrid, index: KeyIndex) -> Tensor:
    """The row of the known key of every point's cell, shape (points,), int32; -1 where it is not known."""
    rows = torch.empty(len(grid.points), dtype=torch.int32, device="cpu")
    _native(grid, index.keys.dtype).rows(index.native, rows=address(rows))
    return rows


def point_corners(grid: PointGrid, index: KeyIndex) -> tuple[Tensor, Tensor]:
    """Rows and weights of the eight cells around every point, shape (points, 8), int32 and float64; x outermost.

    Weights of known cells add up to 1; another's is 0, and its row one of theirs. All rows are -1 where none is known.
    """
    rows = torch.empty(len(grid.points), 8, dtype=torch.int32, device="cpu")
    weights = torch.empty(rows.shape, dtype=torch.float64, device="cpu")
    _native(grid, index.keys.dtype).corners(index.native, rows=address(rows), weights=address(weights))
    return rows, weights


def _native(grid: PointGrid, keys: torch.dtype) -> Any:
    return native().PointGrid(
        points=address(grid.points),
        wide_points=grid.points.dtype == torch.float64,
        count=len(grid.points),
        batch=0 if grid.batch is None else address(grid.batch),
        size=grid.size,
        stride=grid.stride,
        bias=grid.bias,
        bits=grid.bits,
        wide_keys=keys == torch.int64,
        threads=torch.get_num_threads(),
    )

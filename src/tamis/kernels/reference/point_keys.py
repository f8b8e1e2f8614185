"""Keys of points, and rows of known keys at points, as plain PyTorch on any device."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from tamis.kernels.point_grid import PointGrid


def point_range(grid: PointGrid) -> tuple[Tensor, int]:
    """Lowest and highest cell along x, y, z, shape (2, 3), float64, not rounded; and how many points are not finite."""
    bad = int((~grid.points.isfinite()).any(1).sum())
    cells = _places(grid)
    if not len(cells):
        infinity = cells.new_full((3,), float("inf"))
        return torch.stack([infinity, -infinity]), 0
    return torch.stack([cells.amin(0), cells.amax(0)]), bad


def point_keys(grid: PointGrid, dtype: torch.dtype) -> Tensor:
    """The key of every point's cell, shape (points,); all of them fit into the layout."""
    keys, _ = _keys(grid, _places(grid).floor())
    return keys.to(dtype)


def point_rows(grid: PointGrid, keys: Tensor, order: Tensor | None) -> Tensor:
    """The row of the known key of every point's cell, shape (points,), int32; -1 where it is not known."""
    return _find(keys, order, *_keys(grid, _places(grid).floor()))


def point_corners(grid: PointGrid, keys: Tensor, order: Tensor | None) -> tuple[Tensor, Tensor]:
    """Rows and weights of the eight cells around every point, shape (points, 8), int32 and float64; x outermost.

    Weights of known cells add up to 1; another's is 0, and its row one of theirs. All rows are -1 where none is known.
    """
    places = _places(grid) - 0.5
    rows, shares = [], []
    for step in itertools.product((0, 1), repeat=3):
        cells = places.floor() + torch.tensor(step, device=places.device)
        share = (1 - (places - cells).abs()).prod(1)
        found = _find(keys, order, *_keys(grid, cells))
        rows.append(torch.where(share > 0, found, -1))
        shares.append(torch.where(rows[-1] >= 0, share, 0.0))
    row, share = torch.stack(rows, 1), torch.stack(shares, 1)
    weights = share / share.sum(1, keepdim=True).clamp(min=torch.finfo(share.dtype).tiny)
    return torch.where(row >= 0, row, row.amax(1, keepdim=True)), weights


def _places(grid: PointGrid) -> Tensor:
    return grid.points.double() / torch.tensor(grid.size, dtype=torch.float64, device=grid.points.device)


def _keys(grid: PointGrid, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Keys of whole cells, int64, and which of them fit into the layout."""
    near = (cells.abs() < 2**32).all(1)
    cells = torch.where(near[:, None], cells, 0.0)
    batch = cells.new_zeros(len(cells), dtype=torch.int64) if grid.batch is None else grid.batch
    keys, fits = batch << sum(grid.bits[1:]), near & (batch >= 0) & (batch < 1 << grid.bits[0])
    for axis in range(3):
        field = cells[:, axis].long() * grid.stride[axis] + grid.bias[axis]
        fits &= (field >= 0) & (field < 1 << grid.bits[axis + 1])
        keys = keys + (field << sum(grid.bits[axis + 2 :]))
    return keys, fits


def _find(known: Tensor, order: Tensor | None, keys: Tensor, fits: Tensor) -> Tensor:
    if not len(known):
        return torch.full_like(keys, -1, dtype=torch.int32)
    known = known.long()
    found = torch.searchsorted(known, keys).clamp_(max=len(known) - 1)
    rows = found if order is None else order[found]
    return torch.where(fits & (known[found] == keys), rows, -1).int()

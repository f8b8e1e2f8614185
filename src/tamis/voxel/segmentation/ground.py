"""Height above the local ground: what makes scans of different sensors, mounts and slopes comparable."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

_CELL_M = 1.5
_REACH_CELLS = 3  # a point looks for ground within about five metres
_LOWEST_SHARE = 0.05  # of a cell's points may lie below its ground: mirror images, stray returns
_LARGEST_GRID = 4000


def height_above_ground(points: Tensor) -> Tensor:
    """Height of each point above the lowest ground within about five metres.

    Parameters
    ----------
    points : Tensor, shape (N, 3)
        Metres, z up.

    Returns
    -------
    Tensor, shape (N,), float32
        Metres; slightly negative for points below the ground.
    """
    if len(points) == 0:
        return points.new_zeros(0)
    low, high = points[:, :2].amin(0), points[:, :2].amax(0)
    cell_m = max(_CELL_M, float((high - low).max()) / _LARGEST_GRID)  # coarser for clouds of many kilometres
    along, across = (((points[:, axis] - low[axis]) / cell_m).long() for axis in (0, 1))
    rows, columns = int(along.max()) + 1, int(across.max()) + 1
    flat = along.mul_(columns).add_(across)
    del across
    z = points[:, 2] - points[:, 2].median()  # small numbers: float32 sums stay exact to micrometres
    ground = _low_quantile(z, flat, rows * columns).reshape(1, 1, rows, columns)
    return z - _lowest_nearby(ground).flatten()[flat]


def _low_quantile(z: Tensor, cell: Tensor, cells: int) -> Tensor:
    """A low quantile of z in each cell; infinite where a cell has no points."""
    keys = (cell << 32) | (_ordered(z.float().view(torch.int32)).long() + 2**31)
    keys.numpy().sort()  # in place and without an order: several times as fast as torch.sort, in a third of the memory
    counts = torch.bincount(cell, minlength=cells)
    first = counts.cumsum(0) - counts
    taken = counts > 0
    lowest = keys[(first + (counts * _LOWEST_SHARE).long())[taken]]
    result = torch.full((cells,), torch.inf)
    result[taken] = _ordered(((lowest & 0xFFFFFFFF) - 2**31).int()).view(torch.float32)
    return result


def _ordered(bits: Tensor) -> Tensor:
    """The bits of float32 numbers as integers in the same order, and back."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def _lowest_nearby(ground: Tensor) -> Tensor:
    """Minimum over a square window, then its mean over another: no steps where a lower cell comes into reach."""
    window = 2 * _REACH_CELLS + 1
    lowest = -max_pool2d(-ground, window, 1, _REACH_CELLS)
    known = lowest.isfinite()
    total, count = (
        avg_pool2d(grid, window, 1, _REACH_CELLS) for grid in (torch.where(known, lowest, 0.0), known.float())
    )
    return total / count

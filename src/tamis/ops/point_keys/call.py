"""From points in metres to the keys of their cells, and to the rows of known keys: native on CPUs, else PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor

from tamis.formats.packed_coords import KeyLayout
from tamis.kernels import PointGrid, cpu, reference


@dataclass(frozen=True, eq=False)
class KnownKeys:
    """Sorted, distinct keys whose rows are looked for.

    Attributes
    ----------
    keys : Tensor, shape (N,), int32 or int64
    layout : KeyLayout
    order : Tensor, shape (N,), int64, or None
        The row that each key stands for; None: its place.
    """

    keys: Tensor
    layout: KeyLayout
    order: Tensor | None

    @cached_property
    def index(self) -> cpu.KeyIndex:
        """Where keys with equal high bits begin; made once."""
        return cpu.key_index(self.keys, self.order)


def cell_range(points: Tensor, size: Sequence[float]) -> tuple[Tensor, int]:
    """Lowest and highest ``points / size`` along x, y, z, and how many points are NaN or infinite.

    Parameters
    ----------
    points : Tensor, shape (P, 3), float32 or float64, contiguous
    size : three floats

    Returns
    -------
    range : Tensor, shape (2, 3), float64, not rounded
    bad : int
    """
    grid = _grid(points, None, size)
    return cpu.point_range(grid) if points.device.type == "cpu" else reference.point_range(grid)


def keys_of_points(points: Tensor, batch: Tensor | None, size: Sequence[float], layout: KeyLayout) -> Tensor:
    """The key of every point's cell ``floor(points / size)``, shape (P,), ``layout.dtype``; all fit into ``layout``."""
    grid = replace(_grid(points, batch, size), bias=layout.bias, bits=layout.bits)
    on_cpu = points.device.type == "cpu"
    return (cpu.point_keys if on_cpu else reference.point_keys)(grid, layout.dtype)


def rows_of_points(
    points: Tensor,
    batch: Tensor | None,
    size: Sequence[float],
    stride: tuple[int, int, int],
    known: KnownKeys,
) -> Tensor:
    """The row of the cell of every point, shape (P,), int32; -1 where it is not known.

    Parameters
    ----------
    points : Tensor, shape (P, 3), float32 or float64, contiguous
    batch : Tensor, shape (P,), int64, contiguous, optional
    size : three floats
        Of a cell, in the points' units.
    stride : three ints
        Of a cell, in cells of the finest grid.
    known : KnownKeys
    """
    grid = _on_layout(_grid(points, batch, size), stride, known.layout)
    if points.device.type == "cpu":
        return cpu.point_rows(grid, known.index)
    return reference.point_rows(grid, known.keys, known.order)


def rows_around_points(
    points: Tensor,
    batch: Tensor | None,
    size: Sequence[float],
    stride: tuple[int, int, int],
    known: KnownKeys,
) -> tuple[Tensor, Tensor]:
    """Rows and weights of the eight cells whose centres surround every point, shape (P, 8), int32 and float64.

    The weights of known cells add up to 1. Another's weight is 0, and its row is one of theirs; all rows are -1 where none is known.
    Parameters as in :func:`rows_of_points`.
    """
    grid = _on_layout(_grid(points, batch, size), stride, known.layout)
    if points.device.type == "cpu":
        return cpu.point_corners(grid, known.index)
    return reference.point_corners(grid, known.keys, known.order)


def _grid(points: Tensor, batch: Tensor | None, size: Sequence[float]) -> PointGrid:
    x, y, z = size
    return PointGrid(points, batch, (x, y, z))


def _on_layout(grid: PointGrid, stride: tuple[int, int, int], layout: KeyLayout) -> PointGrid:
    return replace(grid, stride=stride, bias=layout.bias, bits=layout.bits)

"""The coordinates of coarser and finer levels, derived from sorted keys."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tamis.formats.packed_coords import KeyLayout, coarsen, field_of


def sorted_distinct(keys: Tensor) -> Tensor:
    """Sort keys and drop duplicates; equal neighbours are dropped first, which makes the sort smaller, or needless."""
    if len(keys) < 2:
        return keys
    keep = torch.ones_like(keys, dtype=torch.bool)
    torch.ne(keys[1:], keys[:-1], out=keep[1:])
    found = keys.masked_select(keep)
    if bool((found[1:] > found[:-1]).all()):
        return found
    distinct: Tensor = torch.unique_consecutive(found.sort().values)
    return distinct


def minkowski_level(keys: Tensor, layout: KeyLayout, stride: Sequence[int]) -> Tensor:
    """Outputs of a strided convolution by MinkowskiEngine's rule: the cells of ``stride`` that hold an input.

    Parameters
    ----------
    keys : Tensor, shape (N,)
        Sorted keys of the finer level.
    stride : three ints
        Stride of the result in cells of the finest grid.

    Returns
    -------
    Tensor, shape (M,): sorted keys, each rounded down to the lattice of ``stride``.
    """
    return sorted_distinct(coarsen(keys, layout, stride))


def spconv_level(
    keys: Tensor,
    layout: KeyLayout,
    steps: Tensor,
    stride: Sequence[int],
    bounds: Sequence[int] | None = None,
) -> Tensor:
    """Outputs of a regular convolution by spconv's rule: every lattice point whose window holds an input.

    Parameters
    ----------
    keys : Tensor, shape (N,)
        Sorted keys of the finer level.
    steps : Tensor, shape (kernel_volume, 3)
        Offsets of the kernel in cells of the finest grid: in = out + step.
    stride : three ints
        Stride of the result in cells of the finest grid.
    bounds : three ints, optional
        Outputs have 0 <= x, y, z < bounds, in cells of the finest grid. Without it the grid has no border.
    """
    for axis in (2, 1, 0):  # the window is a box: one axis after the other, duplicates dropped in between
        descending = reversed(steps[:, axis].unique().tolist())
        moves = keys.new_tensor([-layout.offset_key(*_along(axis, step)) for step in descending])
        # Row by row these ascend already along z, if the window has at most stride + 1 cells.
        moved = keys[:, None] + moves
        field = field_of(moved, layout, axis + 1)
        inside = _on_lattice(field, stride[axis])  # the bias is a multiple of every stride
        if bounds is not None:
            inside &= (field >= layout.bias[axis]) & (field < layout.bias[axis] + bounds[axis])
        keys = sorted_distinct(moved.masked_select(inside))
    return keys


def generated_level(keys: Tensor, layout: KeyLayout, steps: Tensor) -> Tensor:
    """Outputs of a generative transposed convolution: every point ``p + step`` of every input p."""
    for axis in (2, 1, 0):
        moves = [layout.offset_key(*_along(axis, step)) for step in steps[:, axis].unique().tolist()]
        keys = sorted_distinct(torch.cat([keys + move for move in moves]))
    return keys


def _along(axis: int, step: int) -> tuple[int, int, int]:
    return (step if axis == 0 else 0, step if axis == 1 else 0, step if axis == 2 else 0)


def _on_lattice(field: Tensor, step: int) -> Tensor:
    return (field & (step - 1)) == 0 if step & (step - 1) == 0 else field % step == 0

"""Coordinates to keys and back, single fields, and the lattice of a stride."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tamis.formats.packed_coords.layout import KeyLayout


def pack(coords: Tensor, layout: KeyLayout) -> Tensor:
    """Pack coordinates into keys.

    Parameters
    ----------
    coords : Tensor, shape (N, 4), int32
    layout : KeyLayout
        From :func:`choose_layout` of these coordinates, or of a scene that contains them.

    Returns
    -------
    Tensor, shape (N,), int32 or int64 (``layout.dtype``).
    """
    wide = coords.long()
    x, y, z = (wide[:, i + 1] + layout.bias[i] for i in range(3))
    shifts = layout.shifts
    return ((wide[:, 0] << shifts[0]) + (x << shifts[1]) + (y << shifts[2]) + z).to(layout.dtype)


def unpack(keys: Tensor, layout: KeyLayout) -> Tensor:
    """Turn keys back into coordinates, shape (N, 4), int32."""
    fields = fields_of(keys.long(), layout)
    columns = [fields[0], *(fields[i + 1] - layout.bias[i] for i in range(3))]
    return torch.stack([column.to(torch.int32) for column in columns], 1)


def fields_of(keys: Tensor, layout: KeyLayout) -> list[Tensor]:
    """The fields batch, x, y, z of keys, biased, each of shape (N,) and the keys' dtype."""
    return [field_of(keys, layout, index) for index in range(4)]


def field_of(keys: Tensor, layout: KeyLayout, index: int) -> Tensor:
    """One field of keys, biased: 0 is batch, 1 to 3 are x, y, z."""
    return (keys >> layout.shifts[index]) & ((1 << layout.bits[index]) - 1)


def coarsen(keys: Tensor, layout: KeyLayout, stride: Sequence[int]) -> Tensor:
    """Round every key down to the lattice of ``stride``: floor(p / stride) * stride on each axis.

    Order is not kept: clearing the low bits of x interleaves y. Neighbours in z become equal, so most
    duplicates stand side by side.
    """
    for axis, step in enumerate(stride):
        if layout.lattice[axis] % step:
            raise ValueError(
                f"coarsen(keys, layout, stride={tuple(stride)}): the layout was made for strides that divide "
                f"{layout.lattice}. Choose it with lattice= a multiple of every stride in use."
            )
    if all(step & (step - 1) == 0 for step in stride):
        return keys & ~sum((step - 1) << layout.shifts[i + 1] for i, step in enumerate(stride))
    low = sum(
        (field % step) << shift
        for field, step, shift in zip(fields_of(keys, layout)[1:], stride, layout.shifts[1:], strict=True)
    )
    return keys - low


def holds(layout: KeyLayout, coords: Tensor) -> Tensor:
    """Mask, shape (N,), of the coordinates whose fields fit in ``layout``."""
    fits = coords[:, 0] < (1 << layout.bits[0])
    for axis in range(3):
        field = coords[:, axis + 1].long() + layout.bias[axis]
        fits = fits & (field >= 0) & (field < (1 << layout.bits[axis + 1]))
    return fits

"""Coordinates to keys and back, single fields, and the lattice of a stride."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tamis.formats.packed_coords.layout import AXES, KeyLayout

_CHUNK = 32768  # rows at a time: what is made of them on the way stays in the cache


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
    keys = torch.empty(len(coords), dtype=layout.dtype, device=coords.device)
    shifts = layout.shifts
    for part, some in zip(coords.split(_CHUNK), keys.split(_CHUNK), strict=True):
        wide = part.long()
        x, y, z = (wide[:, i + 1] + layout.bias[i] for i in range(3))
        some.copy_((wide[:, 0] << shifts[0]) + (x << shifts[1]) + (y << shifts[2]) + z)
    return keys


def unpack(keys: Tensor, layout: KeyLayout) -> Tensor:
    """Turn keys back into coordinates, shape (N, 4), int32.

    Raises
    ------
    ValueError
        If a coordinate is no int32: layers that create voxels can go beyond the end.
    """
    _check_int32(keys, layout)
    coords = torch.empty(len(keys), 4, dtype=torch.int32, device=keys.device)
    for part, rows in zip(keys.split(_CHUNK), coords.split(_CHUNK), strict=True):
        for index, field in enumerate(fields_of(part, layout)):
            rows[:, index] = field if index == 0 else field.long() - layout.bias[index - 1]
    return coords


def _check_int32(keys: Tensor, layout: KeyLayout) -> None:
    for axis, name in enumerate(AXES):
        bits, bias = layout.bits[axis + 1], layout.bias[axis]
        if (bias <= 2**31 and (1 << bits) - 1 - bias < 2**31) or not len(keys):
            continue
        field = field_of(keys, layout, axis + 1)
        low, high = int(field.min()) - bias, int(field.max()) - bias
        if low < -(2**31) or high >= 2**31:
            raise ValueError(
                f"unpacking coordinates: along {name} they run from {low} to {high}, beyond int32. A layer that creates voxels went "
                f"past its end: shift the scene towards the origin, by multiples of the coarsest stride."
            )


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
    fits = (coords[:, 0] >= 0) & (coords[:, 0] < (1 << layout.bits[0]))
    for axis in range(3):
        field = coords[:, axis + 1].long() + layout.bias[axis]
        fits = fits & (field >= 0) & (field < (1 << layout.bits[axis + 1]))
    return fits

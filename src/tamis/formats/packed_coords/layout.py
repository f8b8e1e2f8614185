"""Where batch, x, y and z stand in the key of a voxel: a bit layout chosen from the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

AXES = ("x", "y", "z")
Triple = tuple[int, int, int]


@dataclass(frozen=True)
class KeyLayout:
    """Where batch, x, y and z stand in a key.

    Attributes
    ----------
    bits : (int, int, int, int)
        Width of the fields batch, x, y, z; z is the lowest.
    bias : (int, int, int)
        Added to x, y, z before packing; a multiple of ``lattice``.
    lattice : (int, int, int)
        Coarsest stride for which :func:`coarsen` may be called, or a multiple of it.
    guard : (int, int, int)
        Free cells at both ends of x, y, z: how far offsets may reach beyond the coordinates it was chosen for.
    """

    bits: tuple[int, int, int, int]
    bias: Triple
    lattice: Triple = (1, 1, 1)
    guard: Triple = (0, 0, 0)

    @property
    def total_bits(self) -> int:
        return sum(self.bits)

    @property
    def dtype(self) -> torch.dtype:
        """int32 when all fields fit in 31 bits, else int64."""
        return torch.int32 if self.total_bits <= 31 else torch.int64

    @property
    def shifts(self) -> tuple[int, int, int, int]:
        """Left shift of the fields batch, x, y, z."""
        _, x, y, z = self.bits
        return (x + y + z, y + z, z, 0)

    def serves(self, guard: Sequence[int], lattice: Sequence[int]) -> bool:
        """True if it has at least these guard cells, and its lattice is a multiple of ``lattice``."""
        pairs = zip(self.guard, guard, self.lattice, lattice, strict=True)
        return all(have >= need and step % of == 0 for have, need, step, of in pairs)

    def offset_key(self, dx: int, dy: int, dz: int) -> int:
        """The number that moves a key by (dx, dy, dz); fields borrow from each other, the sum comes out right."""
        _, shift_x, shift_y, _ = self.shifts
        return (dx << shift_x) + (dy << shift_y) + dz


def check_coords(call: str, coords: Tensor) -> None:
    """Raise unless ``coords`` is a dense int32 tensor of shape (N, 4) without negative batch indices."""
    if not isinstance(coords, Tensor) or coords.layout != torch.strided or coords.is_meta:
        kind = (
            f"a {coords.layout} tensor on {coords.device}"
            if isinstance(coords, Tensor)
            else type(coords).__name__
        )
        raise TypeError(f"{call}: coords is {kind}, but a dense int32 tensor of shape (N, 4) is needed.")
    if coords.ndim != 2 or coords.shape[1] != 4 or coords.dtype != torch.int32:
        raise ValueError(
            f"{call}: coords has shape {tuple(coords.shape)} and dtype {coords.dtype}, "
            f"but (N, 4) torch.int32 is needed: columns batch, x, y, z. {_cure(coords)}"
        )
    if torch.compiler.is_compiling():  # no numbers yet
        return
    if len(coords) and int(coords[:, 0].min()) < 0:
        raise ValueError(
            f"{call}: coords[:, 0] is the batch index and must not be negative; its minimum is "
            f"{int(coords[:, 0].min())}. The columns are batch, x, y, z in this order."
        )


def _cure(coords: Tensor) -> str:
    if coords.ndim != 2 or coords.shape[1] != 4:
        return "For a single scene put a column of zeros in front."
    if coords.is_floating_point() or coords.is_complex() or coords.dtype == torch.bool:
        return "They are whole cells; voxelize(points, voxel_size_m) makes them from metres."
    low, high = (int(coords.min()), int(coords.max())) if len(coords) else (0, 0)
    if low < -(2**31) or high >= 2**31:
        return f"Values run from {low} to {high}, beyond int32."
    return "Convert with coords.int()."


def choose_layout(
    coords: Tensor,
    *,
    guard: Sequence[int] = (1, 1, 1),
    lattice: Sequence[int] = (1, 1, 1),
    required: bool = True,
) -> KeyLayout:
    """Choose the narrowest key layout that holds ``coords`` with ``guard`` free cells on every side.

    Parameters
    ----------
    coords : Tensor, shape (N, 4), int32
        Columns batch, x, y, z; negative x, y, z are fine.
    guard : three ints
        How far offsets may reach beyond the scene, in cells: the largest (K // 2) * dilation * stride of all layers.
    lattice : three ints
        Multiple of every stride in use.
    required : bool
        If False, guard and lattice are given up where they would need a wider dtype than the coordinates alone.

    Raises
    ------
    ValueError
        If more than 63 bits are needed; the message names the widest axis, its extent and a voxel size that fits.
    """
    check_coords("choose_layout(coords)", coords)
    if len(coords) == 0:
        low, high = [0, 0, 0, 0], [0, 0, 0, 0]
    else:
        low, high = coords.amin(0).tolist(), coords.amax(0).tolist()
    layout = _layout_of(low, high, _triple(guard), _triple(lattice))
    if not required and layout.total_bits > 31:
        alone = _layout_of(low, high, (1, 1, 1), (1, 1, 1))
        if alone.dtype != layout.dtype or layout.total_bits > 63:
            layout = alone
    if layout.total_bits > 63:
        raise ValueError(_too_wide(layout, low, high))
    return layout


def _layout_of(low: list[int], high: list[int], guard: Triple, lattice: Triple) -> KeyLayout:
    """The narrowest layout for coordinates from ``low`` to ``high`` (batch, x, y, z)."""
    bias, widths = [], []
    for axis in range(3):
        step, free = lattice[axis], guard[axis]
        shift = -(low[axis + 1] // step) * step + -(-free // step) * step
        bias.append(shift)
        widths.append((high[axis + 1] + shift + free + step).bit_length())
    return KeyLayout((high[0].bit_length(), widths[0], widths[1], widths[2]), _triple(bias), lattice, guard)


def _triple(values: Sequence[int]) -> Triple:
    x, y, z = values
    return (int(x), int(y), int(z))


def _too_wide(layout: KeyLayout, low: list[int], high: list[int]) -> str:
    extent = [high[i + 1] - low[i + 1] + 1 for i in range(3)]
    widest = max(range(3), key=lambda i: extent[i])
    factor = 2 ** math.ceil((layout.total_bits - 63) / 3)
    parts = ", ".join(f"{axis} {extent[i]} cells ({layout.bits[i + 1]} bits)" for i, axis in enumerate(AXES))
    return (
        f"packing coordinates: they need {layout.total_bits} bits with guards, but a key has 63. "
        f"Extents: batch {high[0] + 1} ({layout.bits[0]} bits), {parts}; axis {AXES[widest]} runs from "
        f"{low[widest + 1]} to {high[widest + 1]}. A voxel size {factor} times as large would fit; "
        f"or remove outliers along {AXES[widest]}, or split the scene."
    )

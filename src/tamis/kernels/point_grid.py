"""Points in metres, and how the cells they fall into are numbered: what the kernels of points read."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

Triple = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class PointGrid:
    """Points, the size of a cell, and the layout of keys.

    Attributes
    ----------
    points : Tensor, shape (P, 3), float32 or float64, contiguous
        Metres.
    batch : Tensor, shape (P,), int64, contiguous, or None
        Scene of each point; None: 0.
    size : three floats
        Of a cell, metres.
    stride : three ints
        Of a cell, in units of the keys' coordinates.
    bias, bits
        Of the keys, see :class:`tamis.formats.packed_coords.KeyLayout`.
    """

    points: Tensor
    batch: Tensor | None
    size: tuple[float, float, float]
    stride: Triple = (1, 1, 1)
    bias: Triple = (0, 0, 0)
    bits: tuple[int, int, int, int] = (0, 0, 0, 0)

"""Kernel maps by name: what a layer asks for, which map answers it, and between which levels of coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, tensor

from tamis.formats.packed_coords import Triple
from tamis.ops.kernel_map import kernel_offsets

Rule = Literal["minkowski", "spconv"]
Kind = Literal["submanifold", "strided", "transposed", "generative"]


@dataclass(frozen=True)
class KernelMapSpec:
    """What a layer asks of the coordinates; layers with equal specs on one level share a kernel map."""

    kind: Kind
    kernel_size: Triple
    stride: Triple = (1, 1, 1)
    dilation: Triple = (1, 1, 1)
    rule: Rule = "minkowski"
    padding: Triple | None = None


@dataclass(frozen=True)
class Level:
    """One set of coordinates of a network.

    Attributes
    ----------
    stride : three ints
        Spacing of the coordinates, in cells of the finest grid.
    parent, made_by
        The finer or coarser level it is derived from, and by which layer's spec; None for the input.
    margin : three ints
        How far its coordinates may lie outside of the input's bounding box.
    bounds : three ints, optional
        0 <= coordinate < bounds, in cells of the finest grid.
    """

    stride: Triple
    parent: int | None = None
    made_by: KernelMapSpec | None = None
    margin: Triple = (0, 0, 0)
    bounds: Triple | None = None


@dataclass(frozen=True)
class KernelMapKey:
    """A distinct kernel map: in = out + offsets * unit, between two levels."""

    source: int
    target: int
    kernel_size: Triple
    dilation: Triple
    padding: Triple | None
    unit: Triple

    @classmethod
    def of(cls, source: int, target: int, spec: KernelMapSpec, unit: Triple) -> KernelMapKey:
        """The map of ``spec`` between two levels, the finer of which has stride ``unit``."""
        return cls(source, target, spec.kernel_size, spec.dilation, spec.padding, unit)

    def offsets(self) -> Tensor:
        """Offsets of the kernel, shape (kernel_volume, 3), int64, in cells of the finest grid."""
        return kernel_offsets(self.kernel_size, self.dilation, self.padding) * tensor(self.unit, device="cpu")

    def reach(self) -> Triple:
        """The farthest offset along each axis."""
        far = self.offsets().abs().amax(0).tolist()
        return (far[0], far[1], far[2])


@dataclass(frozen=True)
class LayerMap:
    """The kernel map that a layer uses: which one, with inputs and outputs exchanged or not, and the outputs' level."""

    key: KernelMapKey
    transposed: bool
    level: int


@dataclass(frozen=True)
class LayerRecord:
    """One convolution or pooling of a network, in order of execution."""

    kind: str
    map: LayerMap
    c_in: int
    c_out: int
    groups: int = 1

    @property
    def pools(self) -> bool:
        """It has no weights."""
        return self.kind.endswith("pool")


def each_axis(of_axis: Callable[[int], int]) -> Triple:
    """Three ints from a function of the axis."""
    return (of_axis(0), of_axis(1), of_axis(2))


def finer_stride(stride: Triple, spec: KernelMapSpec) -> Triple:
    """Stride of the voxels that a transposed layer leads to."""
    if any(have % by for have, by in zip(stride, spec.stride, strict=True)):
        raise ValueError(
            f"transposed convolution with stride {spec.stride}: its input has stride {stride}, which is no multiple."
        )
    return each_axis(lambda axis: stride[axis] // spec.stride[axis])


def bounds_after(level: Level, spec: KernelMapSpec) -> Triple | None:
    """Where a bounded grid ends after ``spec``, as that of a dense convolution; None if ``level`` has no border."""
    if level.bounds is None:
        return None
    bounds = level.bounds

    def along(axis: int) -> int:
        cells = -(-bounds[axis] // level.stride[axis])
        size, step, spread = spec.kernel_size[axis], spec.stride[axis], spec.dilation[axis]
        pad = spec.padding[axis] if spec.padding is not None else (size - 1) // 2 * spread
        window = spread * (size - 1) + 1
        return max((cells + 2 * pad - window) // step + 1, 0) * step * level.stride[axis]

    return each_axis(along)

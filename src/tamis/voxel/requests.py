"""What layers ask of the coordinates, and what they are answered: levels, maps, steps."""

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
class MapSpec:
    """What a layer asks of the coordinates; layers with equal specs on one level share a map."""

    kind: Kind
    kernel_size: Triple
    stride: Triple = (1, 1, 1)
    dilation: Triple = (1, 1, 1)
    rule: Rule = "minkowski"
    padding: Triple | None = None


@dataclass(frozen=True)
class Level:
    """One set of coordinates of a traced network."""

    stride: Triple
    parent: int | None = None
    made_by: MapSpec | None = None
    margin: Triple = (0, 0, 0)  # how far its coordinates may lie outside of the input's bounding box
    bounds: Triple | None = None  # 0 <= coordinate < bounds, in cells of the finest grid


@dataclass(frozen=True)
class MapKey:
    """A distinct map: in = out + offsets * unit, between two levels."""

    source: int
    target: int
    kernel_size: Triple
    dilation: Triple
    padding: Triple | None
    unit: Triple


@dataclass(frozen=True)
class Step:
    """Answer to a request: which map, which way round, and the level of the result."""

    key: MapKey
    transposed: bool
    level: int


@dataclass(frozen=True)
class LayerRecord:
    """One convolution or pooling of the traced network, in order of execution."""

    kind: str
    step: Step
    c_in: int
    c_out: int


def map_key(source: int, target: int, spec: MapSpec, unit: Triple) -> MapKey:
    """The map of ``spec`` between two levels, the finer of which has stride ``unit``."""
    return MapKey(source, target, spec.kernel_size, spec.dilation, spec.padding, unit)


def steps_of(key: MapKey) -> Tensor:
    """Its offsets, shape (kernel_volume, 3), int64, in cells of the finest grid."""
    return kernel_offsets(key.kernel_size, key.dilation, key.padding) * tensor(key.unit)


def reach_of(key: MapKey) -> Triple:
    """Its farthest offset along each axis."""
    far = steps_of(key).abs().amax(0).tolist()
    return (far[0], far[1], far[2])


def each_axis(of_axis: Callable[[int], int]) -> Triple:
    """Three ints from a function of the axis."""
    return (of_axis(0), of_axis(1), of_axis(2))


def finer_stride(stride: Triple, spec: MapSpec) -> Triple:
    """Stride of the voxels that a transposed layer leads to."""
    if any(have % by for have, by in zip(stride, spec.stride, strict=True)):
        raise ValueError(
            f"transposed convolution with stride {spec.stride}: its input has stride {stride}, which is no multiple."
        )
    return each_axis(lambda axis: stride[axis] // spec.stride[axis])


def bounds_after(level: Level, spec: MapSpec) -> Triple | None:
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

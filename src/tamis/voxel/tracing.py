"""What a network asks of the coordinates: its levels and maps, found by running it once on an empty cloud."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from tamis.formats.packed_coords import Triple
from tamis.ops.kernel_map import KernelMap, kernel_offsets
from tamis.ops.sparse_conv import Dataflow
from tamis.voxel.tensor import VoxelTensor

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


class Guide(Protocol):
    """What leads a tensor through a network: a plan, or the tracer."""

    dataflow: Dataflow | None
    batch_size: int

    def follow(self, level: int, spec: MapSpec, layer: tuple[str, int, int]) -> tuple[KernelMap, int]:
        """The map that ``spec`` means at ``level``, and the level of the result."""

    def coords_of(self, level: int) -> Tensor:
        """Coordinates of a level, shape (rows, 4), int32."""

    def batch_rows(self, level: int) -> Tensor:
        """Batch index of each row of a level, int64."""

    def stride_of(self, level: int) -> Triple:
        """Stride of a level."""


@dataclass(frozen=True)
class Place:
    """Where a tensor stands inside a network run: its guide and the level of its voxels."""

    guide: Guide
    level: int

    @property
    def stride(self) -> Triple:
        return self.guide.stride_of(self.level)

    def coords(self) -> Tensor:
        return self.guide.coords_of(self.level)

    def batch_rows(self) -> Tensor:
        return self.guide.batch_rows(self.level)

    def batch_size(self) -> int:
        return self.guide.batch_size

    def follow(self, spec: MapSpec, layer: tuple[str, int, int]) -> tuple[KernelMap, Place]:
        """The map that ``spec`` means here, and the place of the result; ``layer`` is kind, c_in, c_out."""
        kernel_map, level = self.guide.follow(self.level, spec, layer)
        return kernel_map, Place(self.guide, level)


@dataclass(eq=False)
class Trace:
    """The levels and maps a network needs, without any coordinates.

    Found by running the network once on an empty cloud: every layer asks for its map, gets one without rows, and the
    request is written down.
    """

    levels: list[Level]
    steps: dict[tuple[int, MapSpec], Step] = field(default_factory=dict)
    layers: list[LayerRecord] = field(default_factory=list)
    batch_size: int = 0
    dataflow: Dataflow | None = None

    def follow(self, level: int, spec: MapSpec, layer: tuple[str, int, int]) -> tuple[KernelMap, int]:
        step = self.steps.get((level, spec))
        if step is None:
            step = self.steps[level, spec] = self._new_step(level, spec)
        self.layers.append(LayerRecord(layer[0], step, layer[1], layer[2]))
        return _rowless_map(math.prod(spec.kernel_size)), step.level

    def coords_of(self, level: int) -> Tensor:
        """No coordinates."""
        return torch.empty(0, 4, dtype=torch.int32)

    def stride_of(self, level: int) -> Triple:
        return self.levels[level].stride

    def batch_rows(self, level: int) -> Tensor:
        """Batch index per row: none."""
        return torch.empty(0, dtype=torch.int64)

    def map_keys(self) -> list[MapKey]:
        """The distinct maps in order of first use."""
        return list(dict.fromkeys(step.key for step in self.steps.values()))

    def guard(self) -> Triple:
        """Free cells that keys need on every side of the input."""
        reach = [1, 1, 1]
        for key in self.map_keys():
            for axis, far in enumerate(reach_of(key)):
                margin = max(self.levels[key.source].margin[axis], self.levels[key.target].margin[axis])
                reach[axis] = max(reach[axis], margin + far)
        return (reach[0], reach[1], reach[2])

    def lattice(self) -> Triple:
        """Least common multiple of all strides."""
        return _each(lambda axis: math.lcm(*(level.stride[axis] for level in self.levels)))

    def _new_step(self, level: int, spec: MapSpec) -> Step:
        here = self.levels[level]
        if spec.kind == "submanifold" or (spec.kind == "strided" and _keeps_voxels(spec)):
            return Step(_key(level, level, spec, here.stride), False, level)
        if spec.kind == "strided":
            target = self._find_or_add(self._coarser(level, spec))
            return Step(_key(level, target, spec, here.stride), False, target)
        if spec.kind == "transposed":
            finer = self._finer(level, spec)
            return Step(_key(finer, level, spec, self.levels[finer].stride), True, finer)
        finer = self._find_or_add(self._generated(level, spec))
        return Step(_key(finer, level, spec, self.levels[finer].stride), True, finer)

    def _find_or_add(self, wanted: Level) -> int:
        """Index of the level; by MinkowskiEngine's rule equal strides over one root are equal coordinates."""
        for index, level in enumerate(self.levels):
            if level == wanted or (_plain(wanted) and _plain(level) and self._same_cells(level, wanted)):
                return index
        self.levels.append(wanted)
        return len(self.levels) - 1

    def _same_cells(self, a: Level, b: Level) -> bool:
        return a.stride == b.stride and self._root(a) == self._root(b)

    def _root(self, level: Level) -> int | None:
        parent = level.parent
        while parent is not None and _plain(self.levels[parent]):
            parent = self.levels[parent].parent
        return parent

    def _coarser(self, level: int, spec: MapSpec) -> Level:
        here = self.levels[level]
        stride = _each(lambda axis: here.stride[axis] * spec.stride[axis])
        if spec.rule == "minkowski":
            margin = _each(lambda axis: max(here.margin[axis], stride[axis] - 1))
            return Level(stride, level, MapSpec("strided", (1, 1, 1), spec.stride), margin, here.bounds)
        far = reach_of(_key(level, level, spec, here.stride))
        margin = _each(lambda axis: here.margin[axis] + far[axis])
        return Level(stride, level, spec, margin, bounds_after(here, spec))

    def _generated(self, level: int, spec: MapSpec) -> Level:
        here = self.levels[level]
        stride = _finer_stride(here.stride, spec)
        far = reach_of(_key(level, level, spec, stride))
        return Level(stride, level, spec, _each(lambda axis: here.margin[axis] + far[axis]))

    def _finer(self, level: int, spec: MapSpec) -> int:
        stride = _finer_stride(self.levels[level].stride, spec)
        ancestor = self.levels[level].parent
        while ancestor is not None and self.levels[ancestor].stride != stride:
            ancestor = self.levels[ancestor].parent
        if ancestor is not None:
            return ancestor
        start = self.levels[level]
        for index, candidate in enumerate(self.levels):
            if (
                candidate.stride == stride
                and _plain(candidate)
                and self._root(candidate) == self._root(start)
            ):
                return index
        raise ValueError(
            f"transposed convolution with stride {spec.stride} at stride {self.levels[level].stride}: it returns to "
            f"voxels of stride {stride}, but no earlier layer of this network has been there. Use "
            f"SparseConvTranspose3d(..., generative=True) to create new voxels."
        )


def trace(network: nn.Module, *, stride: Triple = (1, 1, 1), spatial_shape: Triple | None = None) -> Trace:
    """Run ``network`` on an empty cloud and write down every level and map that it asks for.

    Parameters
    ----------
    network : nn.Module
        Takes and returns :class:`VoxelTensor`; nested modules and Python control flow are fine.
    stride : three ints
        Stride of the input.
    spatial_shape : three ints, optional
        Cells of the input grid along x, y, z, for layers with ``rule="spconv"``, whose outputs end at its border.
    """
    parameter = next(network.parameters(), torch.empty(0))
    found = Trace([Level(stride, bounds=spatial_shape)])
    feats = torch.empty(0, _in_channels(network), dtype=parameter.dtype, device=parameter.device)
    with torch.no_grad(), _evaluating(network):
        network(VoxelTensor.at(Place(found, 0), feats))
    return found


def _key(source: int, target: int, spec: MapSpec, unit: Triple) -> MapKey:
    return MapKey(source, target, spec.kernel_size, spec.dilation, spec.padding, unit)


def steps_of(key: MapKey) -> Tensor:
    return kernel_offsets(key.kernel_size, key.dilation, key.padding) * torch.tensor(key.unit)


def reach_of(key: MapKey) -> Triple:
    far = steps_of(key).abs().amax(0).tolist()
    return (far[0], far[1], far[2])


def _each(of_axis: Callable[[int], int]) -> Triple:
    return (of_axis(0), of_axis(1), of_axis(2))


def _keeps_voxels(spec: MapSpec) -> bool:
    """By MinkowskiEngine's rule a convolution of stride 1 has its inputs as outputs."""
    return spec.rule == "minkowski" and spec.stride == (1, 1, 1)


def _plain(level: Level) -> bool:
    """Made by MinkowskiEngine's rule: its coordinates depend on its stride and root only."""
    return level.made_by is not None and level.made_by.kind == "strided" and level.made_by.rule == "minkowski"


def _finer_stride(stride: Triple, spec: MapSpec) -> Triple:
    if any(have % by for have, by in zip(stride, spec.stride, strict=True)):
        raise ValueError(
            f"transposed convolution with stride {spec.stride}: its input has stride {stride}, which is no multiple."
        )
    return _each(lambda axis: stride[axis] // spec.stride[axis])


def bounds_after(level: Level, spec: MapSpec) -> Triple | None:
    if level.bounds is None:
        return None
    bounds = level.bounds

    def along(axis: int) -> int:
        cells = -(-bounds[axis] // level.stride[axis])
        size, step, spread = spec.kernel_size[axis], spec.stride[axis], spec.dilation[axis]
        pad = spec.padding[axis] if spec.padding is not None else (size - 1) // 2 * spread
        window = spread * (size - 1) + 1
        return max((cells + 2 * pad - window) // step + 1, 0) * step * level.stride[axis]

    return _each(along)


def _in_channels(network: nn.Module) -> int:
    for module in network.modules():
        channels = getattr(module, "in_channels", None) or getattr(module, "in_features", None)
        if isinstance(channels, int):
            return channels
    return 1


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode for the time of the block, every module's own flag restored after it."""
    flags = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, flag in flags.items():
            module.training = flag


def _rowless_map(volume: int) -> KernelMap:
    none = torch.empty(0, dtype=torch.int32)
    lists = torch.zeros(volume, 3, dtype=torch.int64)
    return KernelMap(none, none, lists, 0, 0, torch.zeros(volume, 3, dtype=torch.int64))

"""What a network asks of the coordinates: its levels and kernel maps, found by running it once on an empty cloud."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tamis.formats.packed_coords import KeyLayout, Triple
from tamis.inspect import evaluating
from tamis.ops import unobserved
from tamis.ops.kernel_map import KernelMap, generated_level, minkowski_level, spconv_level
from tamis.ops.sparse_conv import Dataflow
from tamis.voxel.map_specs import (
    KernelMapKey,
    KernelMapSpec,
    LayerMap,
    LayerRecord,
    Level,
    bounds_after,
    each_axis,
    finer_stride,
)
from tamis.voxel.tensor import VoxelTensor


@dataclass(eq=False)
class RequiredMaps:
    """The levels and kernel maps a network needs, without any coordinates.

    Found by running the network once on an empty cloud: every layer asks for its map, gets one without rows, and the
    request is written down.
    """

    levels: list[Level]
    maps: dict[tuple[int, KernelMapSpec], LayerMap] = field(default_factory=dict)
    layers: list[LayerRecord] = field(default_factory=list)
    batch_size: int = 0
    dataflow: Dataflow | None = None

    def kernel_map(
        self, level: int, spec: KernelMapSpec, layer: tuple[str, int, int, int]
    ) -> tuple[KernelMap, int]:
        """Write the request down and answer it with a map without rows."""
        found = self.maps.get((level, spec))
        if found is None:
            found = self.maps[level, spec] = self._new_map(level, spec)
        self.layers.append(LayerRecord(layer[0], found, *layer[1:]))
        return _rowless_map(math.prod(spec.kernel_size)), found.level

    def coords_of(self, level: int) -> Tensor:
        """No coordinates."""
        return torch.empty(0, 4, dtype=torch.int32, device="cpu")

    def stride_of(self, level: int) -> Triple:
        """Spacing of a level's coordinates, in cells of the finest grid."""
        return self.levels[level].stride

    def batch_rows(self, level: int) -> Tensor:
        """Batch index per row: none."""
        return torch.empty(0, dtype=torch.int64, device="cpu")

    def map_keys(self) -> list[KernelMapKey]:
        """The distinct kernel maps in order of first use."""
        return list(dict.fromkeys(found.key for found in self.maps.values()))

    def guard(self) -> Triple:
        """Free cells that keys need on every side of the input."""
        reach = [1, 1, 1]
        for key in self.map_keys():
            for axis, far in enumerate(key.reach()):
                margin = max(self.levels[key.source].margin[axis], self.levels[key.target].margin[axis])
                reach[axis] = max(reach[axis], margin + far)
        return (reach[0], reach[1], reach[2])

    def lattice(self) -> Triple:
        """Least common multiple of all strides."""
        return each_axis(lambda axis: math.lcm(*(level.stride[axis] for level in self.levels)))

    def build_levels(self, layout: KeyLayout, keys: Tensor) -> list[Tensor]:
        """Sorted keys of every level, from those of the input."""
        built = [keys]
        for level in self.levels[1:]:
            built.append(self._build_level(level, layout, built))
        return built

    def _build_level(self, level: Level, layout: KeyLayout, built: list[Tensor]) -> Tensor:
        if level.parent is None or level.made_by is None:
            raise ValueError(
                f"voxel.plan: {level} is derived from no other level. Only the first one may be so."
            )
        source, spec = built[level.parent], level.made_by
        if spec.rule == "minkowski" and spec.kind == "strided":
            return minkowski_level(source, layout, level.stride)
        unit = self.levels[level.parent].stride if spec.kind == "strided" else level.stride
        offsets = KernelMapKey.of(0, 0, spec, unit).offsets()
        if spec.kind == "generative":
            return generated_level(source, layout, offsets)
        return spconv_level(source, layout, offsets, level.stride, level.bounds)

    def _new_map(self, level: int, spec: KernelMapSpec) -> LayerMap:
        here = self.levels[level]
        if spec.kind == "submanifold" or (spec.kind == "strided" and _keeps_voxels(spec)):
            return LayerMap(KernelMapKey.of(level, level, spec, here.stride), False, level)
        if spec.kind == "strided":
            target = self._find_or_add(self._coarser(level, spec))
            return LayerMap(KernelMapKey.of(level, target, spec, here.stride), False, target)
        if spec.kind == "transposed":
            finer = self._finer(level, spec)
            return LayerMap(KernelMapKey.of(finer, level, spec, self.levels[finer].stride), True, finer)
        finer = self._find_or_add(self._generated(level, spec))
        return LayerMap(KernelMapKey.of(finer, level, spec, self.levels[finer].stride), True, finer)

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

    def _coarser(self, level: int, spec: KernelMapSpec) -> Level:
        here = self.levels[level]
        stride = each_axis(lambda axis: here.stride[axis] * spec.stride[axis])
        if spec.rule == "minkowski":
            margin = each_axis(lambda axis: max(here.margin[axis], stride[axis] - 1))
            return Level(stride, level, KernelMapSpec("strided", (1, 1, 1), spec.stride), margin, here.bounds)
        far = KernelMapKey.of(level, level, spec, here.stride).reach()
        margin = each_axis(lambda axis: here.margin[axis] + far[axis])
        return Level(stride, level, spec, margin, bounds_after(here, spec))

    def _generated(self, level: int, spec: KernelMapSpec) -> Level:
        here = self.levels[level]
        stride = finer_stride(here.stride, spec)
        far = KernelMapKey.of(level, level, spec, stride).reach()
        return Level(stride, level, spec, each_axis(lambda axis: here.margin[axis] + far[axis]))

    def _finer(self, level: int, spec: KernelMapSpec) -> int:
        stride = finer_stride(self.levels[level].stride, spec)
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


def required_maps(
    network: nn.Module, *, stride: Triple = (1, 1, 1), spatial_shape: Triple | None = None
) -> RequiredMaps:
    """Run ``network`` on an empty cloud and write down every level and kernel map that it asks for.

    Parameters
    ----------
    network : nn.Module
        Takes and returns :class:`VoxelTensor`; nested modules and Python control flow are fine.
    stride : three ints
        Stride of the input.
    spatial_shape : three ints, optional
        Cells of the input grid along x, y, z, for layers with ``rule="spconv"``, whose outputs end at its border.
    """
    parameter = next(network.parameters(), torch.empty(0, dtype=torch.float32, device="cpu"))
    found = RequiredMaps([Level(stride, bounds=spatial_shape)])
    feats = torch.empty(0, _in_channels(network), dtype=parameter.dtype, device=parameter.device)
    with unobserved(), evaluating(network):
        network(VoxelTensor.within(found, 0, feats))
    return found


def maps_of_layer(
    spec: KernelMapSpec, layer: tuple[str, int, int, int], stride: Triple, spatial_shape: Triple | None
) -> RequiredMaps:
    """What one layer asks for, without running it: whoever hooks onto it sees its real calls only."""
    found = RequiredMaps([Level(stride, bounds=spatial_shape)])
    found.kernel_map(0, spec, layer)
    return found


def _keeps_voxels(spec: KernelMapSpec) -> bool:
    """By MinkowskiEngine's rule a convolution of stride 1 has its inputs as outputs."""
    return spec.rule == "minkowski" and spec.stride == (1, 1, 1)


def _plain(level: Level) -> bool:
    """Made by MinkowskiEngine's rule: its coordinates depend on its stride and root only."""
    return level.made_by is not None and level.made_by.kind == "strided" and level.made_by.rule == "minkowski"


def _in_channels(network: nn.Module) -> int:
    for module in network.modules():
        channels = getattr(module, "in_channels", None) or getattr(module, "in_features", None)
        if isinstance(channels, int):
            return channels
    return 1


def _rowless_map(volume: int) -> KernelMap:
    none = torch.empty(0, dtype=torch.int32, device="cpu")
    lists = torch.zeros(volume, 3, dtype=torch.int64, device="cpu")
    return KernelMap(none, none, lists, 0, 0, torch.zeros_like(lists))

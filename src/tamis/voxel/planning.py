"""All levels and kernel maps of a network, built together before the first layer runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import register_pytree_node

from tamis.formats.packed_coords import KeyLayout, Triple, check_coords, unpack
from tamis.ops import recorded, refuse_trace, unobserved
from tamis.ops.kernel_map import KernelMap, build_map, planned_rows, unpacked
from tamis.ops.sparse_conv import Dataflow, kept_plan
from tamis.voxel.map_specs import KernelMapKey, KernelMapSpec, Level
from tamis.voxel.required_maps import RequiredMaps, required_maps
from tamis.voxel.sorted_keys import ANEW, STALE, SortedKeys, version_of
from tamis.voxel.tensor import VoxelTensor, check_batch_size


@dataclass(eq=False)
class Plan:
    """Levels and kernel maps of one network over one set of coordinates. Made by :func:`plan`.

    The plan owns everything: there is no cache elsewhere, nothing to reset, and it is freed with its last reference. While a
    network runs it is the coordinate manager that the layers ask.

    Attributes
    ----------
    required : RequiredMaps
        What the network asks for.
    coords : Tensor, shape (N, 4), int32
        The caller's, in the caller's order.
    sorted_keys : SortedKeys
        The same, packed and sorted: level 0.
    level_keys : list of Tensor
        Sorted keys of every level.
    maps : dict of (key, transposed) to KernelMap
    batch_size : int
        Number of scenes.
    dataflow : Dataflow or None
        How every convolution is to run; None leaves it to the operator.
    """

    required: RequiredMaps
    coords: Tensor
    sorted_keys: SortedKeys
    level_keys: list[Tensor]
    maps: dict[tuple[KernelMapKey, bool], KernelMap]
    batch_size: int
    dataflow: Dataflow | None
    _coords: dict[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._of_layer = {
            asked: (self.maps[found.key, found.transposed], found.level)
            for asked, found in self.required.maps.items()
        }

    def __getstate__(self) -> dict[str, Any]:
        version = ANEW if self.sorted_keys.describes(self.coords) else STALE
        return {**self.__dict__, "sorted_keys": replace(self.sorted_keys, version=version)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.sorted_keys.version == ANEW:  # a copy of the coordinates counts its changes anew
            self.sorted_keys = replace(self.sorted_keys, version=version_of(self.coords))

    @property
    def layout(self) -> KeyLayout:
        """How keys hold coordinates."""
        return self.sorted_keys.layout

    @property
    def nbytes(self) -> int:
        """Bytes of keys, maps and coordinates that the plan holds."""
        shared = {id(m.first): m.first.nbytes + m.second.nbytes for m in self.maps.values()}
        cuts = sum(m.nbytes - m.first.nbytes - m.second.nbytes for m in self.maps.values())
        order = self.sorted_keys.order
        rest = [*self.level_keys, *self._coords.values()] + ([] if order is None else [order])
        return sum(shared.values()) + cuts + sum(tensor.nbytes for tensor in rest)

    def kernel_map(
        self, level: int, spec: KernelMapSpec, layer: tuple[str, int, int, int]
    ) -> tuple[KernelMap, int]:
        """The kernel map of ``spec`` at ``level`` and the level of its outputs."""
        found = self._of_layer.get((level, spec))
        if found is None:
            raise ValueError(
                f"plan: no map for a {spec.kind} layer with kernel {spec.kernel_size}, stride {spec.stride}, dilation "
                f"{spec.dilation} at stride {self.stride_of(level)}. This plan was made for another network, or the "
                f"network takes another path now. Make a new one: voxel.plan(network, coords)."
            )
        return found

    def coords_of(self, level: int) -> Tensor:
        """Coordinates of a level in sorted order, shape (rows, 4), int32."""
        kept = self._coords.get(level)
        if kept is None:
            if recorded():  # not kept: tracers put stand-ins in the place of tensors
                return unpacked(self.level_keys[level], self.layout)
            kept = self._coords[level] = unpack(self.level_keys[level], self.layout)
        return kept

    def batch_rows(self, level: int) -> Tensor:
        """Batch index of each row of a level, int64."""
        return self.level_keys[level].long() >> self.layout.shifts[0]

    def stride_of(self, level: int) -> Triple:
        """Spacing of a level's coordinates, in cells of the finest grid."""
        return self.required.levels[level].stride

    def bind(self, x: VoxelTensor) -> VoxelTensor:
        """Enter the plan: check that ``x`` holds the planned voxels and bring its rows into sorted order."""
        order = self.sorted_keys.order
        if recorded():  # the check as well
            order = planned_rows(x.coords, self.coords_of(0), order)
        else:
            self._check(x)
        return VoxelTensor.within(self, 0, x.feats if order is None else x.feats[order])

    def release(self, y: Any) -> Any:
        """Leave the plan: rows of the input's voxels return to the caller's order; other levels stay sorted.

        Takes what a network returns: a VoxelTensor, or a list, tuple or dict of them; anything else passes through.
        """
        if isinstance(y, dict):
            return {name: self.release(value) for name, value in y.items()}
        if isinstance(y, list | tuple):
            return type(y)(self.release(value) for value in y)
        if not isinstance(y, VoxelTensor) or y.manager is None:
            return y
        if y.level > 0:
            return VoxelTensor.of_plan(y.coords, y.feats, y.stride, self.batch_size, None)
        feats, order = y.feats, self.sorted_keys.order
        if order is not None:
            inverse = torch.empty_like(order)
            inverse[order] = torch.arange(len(inverse), device=inverse.device)
            feats = feats[inverse]
        return VoxelTensor.of_plan(self.coords, feats, y.stride, self.batch_size, self.sorted_keys)

    def explain(self) -> str:
        """A table of levels, maps and, per layer, the predicted time of every dataflow."""
        return _explain(self)

    def __str__(self) -> str:
        return self.explain()

    def _check(self, x: VoxelTensor) -> None:
        unchanged = self.sorted_keys.describes(self.coords)
        if unchanged and (x.coords is self.coords or torch.equal(x.coords, self.coords)):
            return
        what = (
            "were changed in place after the plan was made"
            if x.coords is self.coords
            else "are not those of x"
        )
        raise ValueError(
            f"network(x, plan=plan): the plan's coordinates ({len(self.coords)} voxels) {what} ({len(x)} voxels). "
            f"Make a plan for these: voxel.plan(network, x), or leave plan= out."
        )


def plan(
    network: nn.Module | RequiredMaps,
    coords: Tensor | VoxelTensor,
    *,
    stride: Triple | None = None,
    batch_size: int | None = None,
    spatial_shape: Triple | None = None,
    dataflow: Dataflow | None = None,
) -> Plan:
    """Build every level and kernel map of ``network`` over ``coords``.

    Parameters
    ----------
    network : nn.Module or RequiredMaps
        The network, or :func:`required_maps` of it where one network meets many clouds.
    coords : VoxelTensor, or Tensor of shape (N, 4), int32
        Columns batch, x, y, z; distinct; any order. Give the tensor itself where there is one: it keeps its sorted keys,
        and one that :func:`voxelize` made has them already.
    stride, batch_size
        As in :class:`VoxelTensor`; default is the tensor's own, else (1, 1, 1) and the largest batch index + 1.
    spatial_shape : three ints, optional
        As in :func:`required_maps`; default is the network's own ``spatial_shape``, if it has one.
    dataflow : "output_stationary", "weight_stationary", "hybrid" or "blocked", optional
        Run every convolution so; by default the operator chooses, see ``plan.explain()``.

    Raises
    ------
    ValueError
        If coordinates are duplicated, off their stride, outside of ``spatial_shape``, or too far apart for a key.
    """
    refuse_trace("voxel.plan(network, x)", "Make the plan before, and trace network(x, plan=plan).")
    with unobserved():
        return _planned(network, coords, stride, batch_size, spatial_shape, dataflow)


def _planned(
    network: nn.Module | RequiredMaps,
    coords: Tensor | VoxelTensor,
    stride: Triple | None,
    batch_size: int | None,
    spatial_shape: Triple | None,
    dataflow: Dataflow | None,
) -> Plan:
    x = coords if isinstance(coords, VoxelTensor) else _without_feats(coords, stride, batch_size)
    if stride is not None and stride != x.stride:
        raise ValueError(
            f"voxel.plan(network, x, stride={stride}): x has stride {x.stride}. Leave stride= out."
        )
    spatial_shape = spatial_shape or getattr(network, "spatial_shape", None)
    required = network if isinstance(network, RequiredMaps) else _kept_maps(network, x.stride, spatial_shape)
    check_lattice(x.coords, required.levels[0])
    sorted_keys = x.sorted_keys(required.guard(), required.lattice())
    level_keys = required.build_levels(sorted_keys.layout, sorted_keys.keys)
    maps = _build_maps(required, sorted_keys.layout, level_keys)
    scenes = x.batch_size if batch_size is None else check_batch_size("voxel.plan(...)", x.coords, batch_size)
    for record in required.layers:
        if not record.pools:
            found = maps[record.map.key, record.map.transposed]
            kept_plan(found, record.c_in, record.c_out, record.groups, dataflow=dataflow)
    return Plan(required, x.coords, sorted_keys, level_keys, maps, scenes, dataflow)


def run(network: nn.Module, x: VoxelTensor, given: Plan | None, body: Callable[[VoxelTensor], Any]) -> Any:
    """Run ``body`` on ``x`` inside a plan: the given one, the one ``x`` already stands in, or a new one."""
    if x.manager is not None:
        return body(x)
    x = _narrowed(network, x)
    if given is None:
        make = (
            torch.compiler.disable(plan) if torch.compiler.is_compiling() else plan
        )  # planning is no part of a graph
        given = make(network, x)
    return given.release(body(given.bind(x)))


def _narrowed(network: nn.Module, x: VoxelTensor) -> VoxelTensor:
    """Features of float64, as numpy's arrays have, in the type that the network computes in, if that is another."""
    if x.feats.dtype != torch.float64:
        return x
    dtypes = [p.dtype for p in network.parameters() if p.is_floating_point()]
    return x if torch.float64 in dtypes or not dtypes else x.with_feats(x.feats.to(dtypes[0]))


def _without_feats(coords: Tensor, stride: Triple | None, batch_size: int | None) -> VoxelTensor:
    check_coords("voxel.plan(network, coords)", coords)
    feats = torch.empty(len(coords), 0, device=coords.device)
    return VoxelTensor(coords, feats, stride or (1, 1, 1), batch_size)


def _build_maps(
    required: RequiredMaps, layout: KeyLayout, keys: list[Tensor]
) -> dict[tuple[KernelMapKey, bool], KernelMap]:
    forward = {
        key: build_map(
            keys[key.source],
            keys[key.target],
            layout,
            key.offsets(),
            unit_z=key.unit[2],
            submanifold=key.source == key.target,
        )
        for key in required.map_keys()
    }
    used = {(found.key, found.transposed) for found in required.maps.values()}
    return {(key, turned): forward[key].transposed() if turned else forward[key] for key, turned in used}


def check_lattice(coords: Tensor, level: Level) -> None:
    """Raise unless coordinates are multiples of the level's stride and inside of its bounds."""
    if level.stride != (1, 1, 1) and bool((coords[:, 1:] % coords.new_tensor(level.stride)).any()):
        raise ValueError(
            f"voxel.plan(network, coords, stride={level.stride}): some coordinates are not multiples of the stride. "
            f"Coordinates stay in cells of the finest grid; multiply them by the stride."
        )
    if level.bounds is not None and len(coords):
        low, high = coords[:, 1:].amin(0).tolist(), coords[:, 1:].amax(0).tolist()
        if min(low) < 0 or any(top >= size for top, size in zip(high, level.bounds, strict=True)):
            raise ValueError(
                f"voxel.plan(network, coords, spatial_shape={level.bounds}): x, y, z run from {tuple(low)} to "
                f"{tuple(high)}. Crop the cloud to the grid, or shift it so that it starts at 0."
            )


def _kept_maps(network: nn.Module, stride: Triple, spatial_shape: Triple | None) -> RequiredMaps:
    """The requirements kept on a network that offers to keep them (``kept_maps``), else found anew."""
    kept = getattr(network, "kept_maps", None)
    if kept is None:
        return required_maps(network, stride=stride, spatial_shape=spatial_shape)
    found: RequiredMaps = kept(stride, spatial_shape)
    return found


def _explain(made: Plan) -> str:
    lines = [
        f"plan: {len(made.coords)} voxels, {made.layout.total_bits}-bit keys, {made.nbytes / 1e6:.1f} MB"
    ]
    for index, level in enumerate(made.required.levels):
        lines.append(f"  level {index}: stride {level.stride}, {len(made.level_keys[index])} voxels")
    for record in made.required.layers:
        kernel_map = made.maps[record.map.key, record.map.transposed]
        about = f"{kernel_map.pairs} pairs"
        if not record.pools:
            kept = kept_plan(kernel_map, record.c_in, record.c_out, record.groups, dataflow=made.dataflow)
            about = kept.summary()
        lines.append(f"  {record.kind} {record.c_in} -> {record.c_out}, level {record.map.level}: {about}")
    return "\n".join(lines)


# So that torch.export takes a Plan, as something that never changes.
register_pytree_node(
    Plan,
    lambda made: ([], made),
    lambda parts, made: made,
    flatten_with_keys_fn=lambda made: ([], made),
)

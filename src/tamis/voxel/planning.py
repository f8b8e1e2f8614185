"""All levels and kernel maps of a network, found once by tracing and built together before the first layer runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tamis.formats.packed_coords import KeyLayout, Triple, check_coords, choose_layout, pack, unpack
from tamis.ops.kernel_map import KernelMap, build_map, generated_level, minkowski_level, spconv_level
from tamis.ops.sparse_conv import Dataflow, explain
from tamis.voxel.place import Place
from tamis.voxel.requests import Level, MapKey, MapSpec, steps_of
from tamis.voxel.tensor import VoxelTensor
from tamis.voxel.tracing import Trace, trace


@dataclass(eq=False)
class Plan:
    """Levels and kernel maps of one network over one set of coordinates. Made by :func:`plan`.

    The plan owns everything: there is no cache elsewhere, nothing to reset, and it is freed with its last reference.
    """

    trace: Trace
    coords: Tensor
    layout: KeyLayout
    level_keys: list[Tensor]
    maps: dict[tuple[MapKey, bool], KernelMap]
    order: Tensor | None  # caller's row of each sorted row; None when the caller's rows are sorted
    batch_size: int
    dataflow: Dataflow | None
    version: int
    _coords: dict[int, Tensor] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of keys, maps and coordinates that the plan holds."""
        shared = {id(m.first): m.first.nbytes + m.second.nbytes for m in self.maps.values()}
        cuts = sum(m.nbytes - m.first.nbytes - m.second.nbytes for m in self.maps.values())
        rest = [*self.level_keys, *self._coords.values()] + ([] if self.order is None else [self.order])
        return sum(shared.values()) + cuts + sum(tensor.nbytes for tensor in rest)

    def follow(self, level: int, spec: MapSpec, layer: tuple[str, int, int]) -> tuple[KernelMap, int]:
        """The map of ``spec`` at ``level`` and the level of its outputs."""
        step = self.trace.steps.get((level, spec))
        if step is None:
            stride = self.trace.levels[level].stride
            raise ValueError(
                f"plan: no map for a {spec.kind} layer with kernel {spec.kernel_size}, stride {spec.stride}, dilation "
                f"{spec.dilation} at stride {stride}. This plan was made for another network, or the network "
                f"takes another path now. Make a new one: voxel.plan(network, coords)."
            )
        return self.maps[step.key, step.transposed], step.level

    def coords_of(self, level: int) -> Tensor:
        """Coordinates of a level in sorted order, shape (rows, 4), int32."""
        if level not in self._coords:
            self._coords[level] = unpack(self.level_keys[level], self.layout)
        return self._coords[level]

    def batch_rows(self, level: int) -> Tensor:
        """Batch index of each row of a level, int64."""
        return self.level_keys[level].long() >> self.layout.shifts[0]

    def stride_of(self, level: int) -> Triple:
        """Stride of a level."""
        return self.trace.levels[level].stride

    def bind(self, x: VoxelTensor) -> VoxelTensor:
        """Enter the plan: check that ``x`` holds the planned voxels and bring its rows into sorted order."""
        self._check(x)
        feats = x.feats if self.order is None else x.feats[self.order]
        return VoxelTensor.at(Place(self, 0), feats)

    def release(self, y: Any) -> Any:
        """Leave the plan: rows of the input's voxels return to the caller's order; other levels stay sorted.

        Takes what a network returns: a VoxelTensor, or a list, tuple or dict of them; anything else passes through.
        """
        if isinstance(y, dict):
            return {name: self.release(value) for name, value in y.items()}
        if isinstance(y, list | tuple):
            return type(y)(self.release(value) for value in y)
        if not isinstance(y, VoxelTensor) or y.place is None:
            return y
        if y.place.level == 0:
            feats = y.feats
            if self.order is not None:
                inverse = torch.empty_like(self.order)
                inverse[self.order] = torch.arange(len(inverse), device=inverse.device)
                feats = feats[inverse]
            return VoxelTensor(self.coords, feats, y.stride, self.batch_size)
        return VoxelTensor(y.coords, y.feats, y.stride, self.batch_size)

    def explain(self) -> str:
        """A table of levels, maps and, per layer, the predicted time of every dataflow."""
        return _explain(self)

    def __str__(self) -> str:
        return self.explain()

    def _check(self, x: VoxelTensor) -> None:
        current = x.coords is self.coords and self.coords._version == self.version
        if current or (self.coords._version == self.version and torch.equal(x.coords, self.coords)):
            return
        what = (
            "were changed in place after the plan was made"
            if x.coords is self.coords
            else "are not those of x"
        )
        raise ValueError(
            f"network(x, plan=plan): the plan's coordinates ({len(self.coords)} voxels) {what} ({len(x)} voxels). "
            f"Make a plan for these: voxel.plan(network, x.coords), or leave plan= out."
        )


def plan(
    network: nn.Module | Trace,
    coords: Tensor,
    *,
    stride: Triple = (1, 1, 1),
    batch_size: int | None = None,
    spatial_shape: Triple | None = None,
    dataflow: Dataflow | None = None,
) -> Plan:
    """Build every level and kernel map of ``network`` over ``coords``.

    Parameters
    ----------
    network : nn.Module or Trace
        The network, or :func:`trace` of it where one network meets many clouds.
    coords : Tensor, shape (N, 4), int32
        Columns batch, x, y, z; distinct; any order.
    stride, batch_size
        As in :class:`VoxelTensor`.
    spatial_shape : three ints, optional
        As in :func:`trace`; default is the network's own ``spatial_shape``, if it has one.
    dataflow : "output_stationary", "weight_stationary", "hybrid" or "blocked", optional
        Run every convolution so; by default the cost model chooses, see ``plan.explain()``.

    Raises
    ------
    ValueError
        If coordinates are duplicated, off their stride, outside of ``spatial_shape``, or too far apart for a key.
    """
    check_coords("voxel.plan(network, coords)", coords)
    spatial_shape = spatial_shape or getattr(network, "spatial_shape", None)
    traced = network if isinstance(network, Trace) else _trace_kept(network, stride, spatial_shape)
    check_lattice(coords, traced.levels[0])
    layout = choose_layout(coords, guard=traced.guard(), lattice=traced.lattice())
    keys, order = sorted_keys(coords, layout)
    level_keys = build_levels(traced, layout, keys)
    maps = _build_maps(traced, layout, level_keys)
    scenes = (
        batch_size if batch_size is not None else (int(keys[-1]) >> layout.shifts[0]) + 1 if len(keys) else 0
    )
    return Plan(traced, coords, layout, level_keys, maps, order, scenes, dataflow, coords._version)


def run(network: nn.Module, x: VoxelTensor, given: Plan | None, body: Callable[[VoxelTensor], Any]) -> Any:
    """Run ``body`` on ``x`` inside a plan: the given one, the one ``x`` already stands in, or a new one."""
    if x.place is not None:
        return body(x)
    used = given or plan(network, x.coords, stride=x.stride, batch_size=x.batch_size)
    return used.release(body(used.bind(x)))


def sorted_keys(coords: Tensor, layout: KeyLayout) -> tuple[Tensor, Tensor | None]:
    keys = pack(coords, layout)
    if len(keys) < 2:
        return keys, None
    rises = keys[1:] > keys[:-1]
    if bool(rises.all()):
        return keys, None
    keys, order = keys.sort()
    twice = int((keys[1:] == keys[:-1]).sum())
    if twice:
        raise ValueError(
            f"voxel.plan(network, coords): {twice} of {len(coords)} coordinates are duplicates, and a voxel can have "
            f'only one row. Merge them: voxelize(points, ..., reduce="mean"), or voxel.merge_duplicates(x, "mean").'
        )
    return keys, order


def build_levels(traced: Trace, layout: KeyLayout, keys: Tensor) -> list[Tensor]:
    """Sorted keys of every level, from those of the input."""
    built = [keys]
    for level in traced.levels[1:]:
        assert level.parent is not None
        assert level.made_by is not None
        source, spec = built[level.parent], level.made_by
        if spec.rule == "minkowski" and spec.kind == "strided":
            built.append(minkowski_level(source, layout, level.stride))
            continue
        unit = traced.levels[level.parent].stride if spec.kind == "strided" else level.stride
        steps = steps_of(MapKey(0, 0, spec.kernel_size, spec.dilation, spec.padding, unit))
        if spec.kind == "generative":
            built.append(generated_level(source, layout, steps))
        else:
            built.append(spconv_level(source, layout, steps, level.stride, level.bounds))
    return built


def _build_maps(traced: Trace, layout: KeyLayout, keys: list[Tensor]) -> dict[tuple[MapKey, bool], KernelMap]:
    forward = {
        key: build_map(
            keys[key.source],
            keys[key.target],
            layout,
            steps_of(key),
            unit_z=key.unit[2],
            submanifold=key.source == key.target,
        )
        for key in traced.map_keys()
    }
    used = {(step.key, step.transposed) for step in traced.steps.values()}
    return {(key, turned): forward[key].transposed() if turned else forward[key] for key, turned in used}


def check_lattice(coords: Tensor, level: Level) -> None:
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


def _trace_kept(network: nn.Module, stride: Triple, spatial_shape: Triple | None) -> Trace:
    """The trace kept on a network that offers to keep it (``kept_trace``), else a new one."""
    kept = getattr(network, "kept_trace", None)
    if kept is None:
        return trace(network, stride=stride, spatial_shape=spatial_shape)
    found: Trace = kept(stride, spatial_shape)
    return found


def _explain(made: Plan) -> str:
    lines = [
        f"plan: {len(made.coords)} voxels, {made.layout.total_bits}-bit keys, {made.nbytes / 1e6:.1f} MB"
    ]
    for index, level in enumerate(made.trace.levels):
        lines.append(f"  level {index}: stride {level.stride}, {len(made.level_keys[index])} voxels")
    for record in made.trace.layers:
        kernel_map = made.maps[record.step.key, record.step.transposed]
        told = f"{kernel_map.pairs} pairs"
        if not record.kind.endswith("pool"):
            told = explain(kernel_map, record.c_in, record.c_out, made.dataflow)
        lines.append(f"  {record.kind} {record.c_in} -> {record.c_out}, level {record.step.level}: {told}")
    return "\n".join(lines)

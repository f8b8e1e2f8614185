"""One kernel map on its own, in the caller's row order: for inspection, for other libraries and for measurements."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tamis.formats.packed_coords import check_coords, unpack
from tamis.ops import refuse_trace, unobserved
from tamis.ops.kernel_map import KernelMap, build_map, minkowski_level, spconv_level
from tamis.voxel.map_specs import KernelMapKey, Level, Rule, bounds_after
from tamis.voxel.modules import Size, conv_spec, triple
from tamis.voxel.planning import check_lattice
from tamis.voxel.sorted_keys import SortedKeys


def kernel_map(
    coords: Tensor,
    kernel_size: Size = 3,
    stride: Size = 1,
    dilation: Size = 1,
    rule: Rule = "minkowski",
    *,
    padding: Size | None = None,
    tensor_stride: Size = 1,
    spatial_shape: Size | None = None,
    kernel: str | None = None,
) -> KernelMap:
    """Neighbours of every output voxel of one convolution.

    Parameters
    ----------
    coords : Tensor, shape (N, 4), int32
        Columns batch, x, y, z; distinct; any order.
    kernel_size, stride, dilation : int or three ints
    rule : "minkowski" or "spconv"
        Which outputs exist. By ``"minkowski"`` the cells of the coarser grid that hold an input; with stride 1 these
        are the inputs (submanifold). By ``"spconv"`` every point whose window touches an input.
    padding : int or three ints, optional
        Shifts the window as in a dense convolution; default is a centred window.
    tensor_stride : int or three ints
        Spacing of ``coords``.
    spatial_shape : int or three ints, optional
        Cells of the input grid, for ``rule="spconv"``: outputs end at its border.
    kernel : str, optional
        Name of the search, instead of the best for the device.

    Returns
    -------
    KernelMap
        ``out_in`` (M, kernel_volume) int32 with -1 for none, columns x outermost and z innermost; for submanifold
        maps row j is the caller's row j; ``out_coords`` (M, 4) int32.
    """
    refuse_trace("voxel.kernel_map(coords)", "Make the map before.")
    check_coords("voxel.kernel_map(coords)", coords)
    spec = conv_spec("strided", kernel_size, stride, dilation, padding, rule)
    unit = triple(tensor_stride)
    coarse = tuple(here * step for here, step in zip(unit, spec.stride, strict=True))
    with unobserved():
        bounds = None if spatial_shape is None else triple(spatial_shape)
        start = Level(unit, bounds=bounds)
        check_lattice(coords, start)
        offsets = KernelMapKey.of(0, 1, spec, unit).offsets()
        reach = offsets.abs().amax(0) * 2 + torch.tensor(coarse, device="cpu")
        packed = SortedKeys.of(coords, guard=reach.tolist(), lattice=coarse)
        keys, layout, order = packed.keys, packed.layout, packed.order
        submanifold = rule == "minkowski" and spec.stride == (1, 1, 1)
        if submanifold:
            found = build_map(keys, keys, layout, offsets, unit_z=unit[2], submanifold=True, kernel=kernel)
            return replace(found, out_coords=coords, in_order=order, out_order=order)
        if rule == "minkowski":
            targets = minkowski_level(keys, layout, coarse)
        else:
            targets = spconv_level(keys, layout, offsets, coarse, bounds_after(start, spec))
        found = build_map(keys, targets, layout, offsets, unit_z=unit[2], kernel=kernel)
        return replace(found, out_coords=unpack(targets, layout), in_order=order)

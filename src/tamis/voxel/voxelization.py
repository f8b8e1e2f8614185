"""Points to voxels, and rows of equal coordinates to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import torch
from torch import Tensor

from tamis.formats.packed_coords import KeyLayout, check_coords, choose_layout, pack, unpack
from tamis.ops import refuse_trace, unobserved
from tamis.ops.point_keys import cell_range, keys_of_points
from tamis.ops.sparse_pool import merge_rows
from tamis.voxel.files.point_cloud import PointCloud
from tamis.voxel.point_arguments import INT32_END, as_batch, as_points, as_sizes, as_tensor, check_finite
from tamis.voxel.sorted_keys import SortedKeys, version_of
from tamis.voxel.tensor import VoxelTensor

Reduce = Literal["mean", "sum", "first", "error"]

# Room that keys get for the network to come, where it costs no wider key: as much as networks of four halvings need.
_GUARD, _LATTICE = (32, 32, 32), (16, 16, 16)


def voxelize(
    points: Any,
    voxel_size_m: float | Sequence[float],
    features: Any = None,
    batch: Any = None,
    reduce: Reduce = "mean",
) -> VoxelTensor:
    """Gather points into voxels, ``coords = floor(points / voxel_size_m)``.

    Parameters
    ----------
    points : PointCloud, or Tensor or array of shape (P, 3)
        x, y, z in metres; or what :func:`tamis.voxel.read_points` returned.
    voxel_size_m : float or three floats
    features : Tensor or array, shape (P, C), optional
        Default is the point cloud's own, else a column of ones. Integer features become float32; floating ones keep their type.
    batch : Tensor or array, shape (P,), optional
        Scene of each point, a whole number from 0 on; default 0.
    reduce : "mean", "sum", "first" or "error"
        What a voxel with several points gets; "error" raises instead. Sums and means are taken in float64 and rounded once.

    Returns
    -------
    VoxelTensor
        One row per occupied voxel, in ascending order of (batch, x, y, z). ``row_of_point`` (P,) is the row of each
        point; the sorted keys stay with the tensor, so that a plan of it neither packs nor sorts again.

    Raises
    ------
    ValueError
        If a point is NaN or infinite, a scene no whole number from 0 to 2**31 - 1, shapes disagree, the size is not positive,
        or the grid is too large for a key.
    """
    call = "voxelize(points, ...)"
    if isinstance(points, PointCloud) and features is None and points.features.shape[1]:
        features = points.features
    points = as_points(call, points)
    feats = _as_features(features, points)
    batch_of = as_batch(call, batch, points)
    sizes = as_sizes(call, voxel_size_m)
    layout = choose_layout(
        _extent(call, points, batch_of, sizes), guard=_GUARD, lattice=_LATTICE, required=False
    )
    return _merge(call, keys_of_points(points, batch_of, sizes, layout), layout, feats, reduce)


@overload
def merge_duplicates(coords: VoxelTensor, reduce: Reduce = "mean", /) -> VoxelTensor: ...
@overload
def merge_duplicates(coords: VoxelTensor, *, reduce: Reduce = "mean") -> VoxelTensor: ...
@overload
def merge_duplicates(coords: Tensor, feats: Tensor, reduce: Reduce = "mean") -> VoxelTensor: ...
def merge_duplicates(
    coords: Tensor | VoxelTensor, feats: Tensor | Reduce | None = None, reduce: Reduce = "mean"
) -> VoxelTensor:
    """Make one voxel of rows with equal coordinates: ``merge_duplicates(coords, feats, "mean")`` or ``merge_duplicates(x, "mean")``.

    Parameters
    ----------
    coords : Tensor, shape (N, 4), int32; or a VoxelTensor, whose stride and number of scenes stay
    feats : Tensor, shape (N, C)
        Left out after a VoxelTensor.
    reduce : "mean", "sum", "first" or "error"
        As in :func:`voxelize`.

    Returns
    -------
    VoxelTensor
        As from :func:`voxelize`; ``row_of_point`` (N,) is the row that each of the given ones became part of.
    """
    if isinstance(coords, VoxelTensor):
        x, how = coords, feats if isinstance(feats, str) else reduce
        return _merge_coords("merge_duplicates(x)", x.coords, x.feats, how, x.stride, x.batch_size)
    call = "merge_duplicates(coords, feats)"
    check_coords(call, coords)
    if not isinstance(feats, Tensor) or feats.ndim != 2 or len(feats) != len(coords):
        given = tuple(feats.shape) if isinstance(feats, Tensor) else repr(feats)
        raise ValueError(
            f"{call}: coords has {len(coords)} rows, so feats needs shape ({len(coords)}, channels), got {given}."
        )
    return _merge_coords(call, coords, feats, reduce)


def _merge_coords(
    call: str,
    coords: Tensor,
    feats: Tensor,
    reduce: Reduce,
    stride: Sequence[int] = (1, 1, 1),
    batch_size: int | None = None,
) -> VoxelTensor:
    layout = choose_layout(coords, guard=_GUARD, lattice=_LATTICE, required=False)
    return _merge(call, pack(coords, layout), layout, feats, reduce, stride, batch_size)


def _as_features(given: Any, points: Tensor) -> Tensor:
    if given is None:
        return torch.ones(len(points), 1, dtype=torch.float32, device=points.device)
    features = as_tensor(given, "voxelize(points, features=...): features", points.device)
    if features.ndim != 2 or len(features) != len(points):
        raise ValueError(
            f"voxelize(points, features=...): {len(points)} points, so features needs shape ({len(points)}, "
            f"channels), but has {tuple(features.shape)}."
        )
    return features if features.is_floating_point() else features.float()


def _extent(call: str, points: Tensor, batch: Tensor | None, sizes: tuple[float, float, float]) -> Tensor:
    """The lowest and the highest coordinates (batch, x, y, z), shape (2, 4), int32; none of an empty cloud."""
    if not len(points):
        return torch.empty(0, 4, dtype=torch.int32, device="cpu")
    reach, bad = cell_range(points, sizes)
    check_finite(call, points, bad)
    far = reach.floor().abs().amax(0)
    if float(far.max()) >= INT32_END:
        axis = int(far.argmax())
        raise ValueError(
            f"{call}: points reach {float(points[:, axis].abs().max()):.3g} m along {'xyz'[axis]}, which is more than "
            f"2**31 cells of {sizes[axis]:.3g} m. Use larger voxels, or subtract an origin first."
        )
    scenes = [0, 0] if batch is None else [int(batch.min()), int(batch.max())]
    cells = reach.floor().int().cpu()
    return torch.cat([torch.tensor(scenes, dtype=torch.int32, device="cpu")[:, None], cells], 1)


def _merge(
    call: str,
    unsorted: Tensor,
    layout: KeyLayout,
    feats: Tensor,
    reduce: Reduce,
    stride: Sequence[int] = (1, 1, 1),
    batch_size: int | None = None,
) -> VoxelTensor:
    if reduce not in ("mean", "sum", "first", "error"):
        raise ValueError(f'{call}: reduce={reduce!r}; expected "mean", "sum", "first" or "error".')
    refuse_trace(call, "Make voxels before, and trace the network.")
    with unobserved():
        keys, order = unsorted.sort(stable=True)
        kept, segment, counts = torch.unique_consecutive(keys, return_inverse=True, return_counts=True)
        distinct, row_of_point = unpack(kept, layout), torch.empty_like(segment).scatter_(0, order, segment)
    if reduce == "error" and len(kept) < len(keys):
        raise ValueError(
            f"{call}: {len(keys) - len(kept)} of {len(keys)} rows fall into a voxel that already has one. "
            f'Choose reduce="mean", "sum" or "first", or smaller voxels.'
        )
    if reduce == "first" or reduce == "error":
        merged = feats[order[counts.cumsum(0) - counts]]
    else:
        merged = merge_rows(feats, order, segment, len(kept), reduce)
    return VoxelTensor(
        distinct,
        merged,
        stride,
        batch_size,
        row_of_point=row_of_point,
        sorted_keys=SortedKeys(kept, layout, None, version_of(distinct)),
    )

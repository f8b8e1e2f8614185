"""Points to voxels and back."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from tamis.formats.packed_coords import choose_layout, holds, pack, unpack
from tamis.voxel.files.point_cloud import PointCloud
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
        Default is the point cloud's own, else a column of ones. Integer features become float32.
    batch : Tensor or array, shape (P,), optional
        Scene of each point; default 0.
    reduce : "mean", "sum", "first" or "error"
        What a voxel with several points gets; "error" raises instead.

    Returns
    -------
    VoxelTensor
        One row per occupied voxel, in ascending order of (batch, x, y, z). ``row_of_point`` (P,) is the row of each
        point; the sorted keys stay with the tensor, so that a plan of it neither packs nor sorts again.

    Raises
    ------
    ValueError
        If a point is NaN or infinite, shapes disagree, the size is not positive, or the grid is too large for a key.
    """
    if isinstance(points, PointCloud) and features is None and points.features.shape[1]:
        features = points.features
    points = _as_points(points)
    feats = _as_features(features, points)
    batch_of = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    if batch is not None:
        batch_of = torch.as_tensor(batch, device=points.device).long()
        if batch_of.shape != (len(points),):
            raise ValueError(
                f"voxelize(points, batch=...): {len(points)} points, so batch needs shape ({len(points)},), "
                f"but has {tuple(batch_of.shape)}."
            )
    coords = _cells(points, _sizes(voxel_size_m, points))
    coords = torch.cat([batch_of[:, None], coords], 1).int()
    return _merge("voxelize(points, ...)", coords, feats, reduce)


def merge_duplicates(coords: Tensor, feats: Tensor, reduce: Reduce = "mean") -> VoxelTensor:
    """Make one voxel of rows with equal coordinates.

    Parameters
    ----------
    coords : Tensor, shape (N, 4), int32
    feats : Tensor, shape (N, C)
    reduce : "mean", "sum", "first" or "error"

    Returns
    -------
    VoxelTensor
        As from :func:`voxelize`; ``row_of_point`` (N,) is the row that each of the given ones became part of.
    """
    return _merge("merge_duplicates(coords, feats)", coords, feats, reduce)


def devoxelize(
    x: VoxelTensor,
    points: Any,
    voxel_size_m: float | Sequence[float],
    batch: Any = None,
    method: Literal["nearest", "trilinear"] = "nearest",
    fill: float = 0.0,
) -> Tensor:
    """Features at points, read from voxels. Differentiable in ``x.feats``.

    Parameters
    ----------
    x : VoxelTensor
    points : PointCloud, or Tensor or array of shape (P, 3)
        Metres. For the points that were given to :func:`voxelize`, ``y.feats[x.row_of_point]`` is the same and cheaper.
    voxel_size_m : float or three floats
        Size of a cell of the finest grid.
    batch : Tensor or array, shape (P,), optional
    method : "nearest" or "trilinear"
        The voxel that holds the point; or the up to eight voxels whose centres surround it, weighted by distance and
        normalised over those that exist.
    fill : float
        Value for points that meet no voxel.

    Returns
    -------
    Tensor, shape (P, C)
    """
    if method not in ("nearest", "trilinear"):
        raise ValueError(f'devoxelize(method={method!r}): expected "nearest" or "trilinear".')
    points = _as_points(points).to(x.feats.device)
    stride = torch.tensor(x.stride, dtype=torch.float64, device=points.device)
    sizes = _sizes(voxel_size_m, points) * stride
    batch_of = torch.zeros(len(points), 1, dtype=torch.int64, device=points.device)
    if batch is not None:
        batch_of = torch.as_tensor(batch, device=points.device).long().reshape(-1, 1)
    known = x.sorted_keys()

    def rows_at(cells: Tensor) -> Tensor:
        return _rows_of(torch.cat([batch_of, cells * stride.long()], 1), known)

    if method == "nearest":
        rows = rows_at(_cells(points, sizes))
        found = (rows >= 0)[:, None]
        read = x.feats[rows.clamp(min=0)] if len(x) else x.feats.new_zeros(len(points), x.channels)
        return torch.where(found, read, fill)
    place = points.double() / sizes - 0.5
    corner = place.floor()
    total = x.feats.new_zeros(len(points), x.channels)
    weights = x.feats.new_zeros(len(points), 1)
    for step in itertools.product((0, 1), repeat=3):
        cells = corner + torch.tensor(step, device=points.device)
        rows = rows_at(cells.long())
        weight = (1 - (place - cells).abs()).prod(1).to(x.feats.dtype) * (rows >= 0)
        if len(x):
            total = total + weight[:, None] * x.feats[rows.clamp(min=0)]
        weights = weights + weight[:, None]
    return torch.where(weights > 0, total / weights.clamp(min=torch.finfo(weights.dtype).tiny), fill)


def _rows_of(coords: Tensor, known: SortedKeys) -> Tensor:
    """The row of each of ``coords`` among the known ones, or -1."""
    keys = known.keys
    if len(keys) == 0:
        return torch.full((len(coords),), -1, device=coords.device)
    inside = holds(known.layout, coords)
    queries = pack(torch.where(inside[:, None], coords, 0).int(), known.layout)
    found = torch.searchsorted(keys, queries).clamp_(max=len(keys) - 1)
    rows = found if known.order is None else known.order[found]
    return torch.where(inside & (keys[found] == queries), rows, -1)


def _as_points(given: Any) -> Tensor:
    points: Tensor = torch.as_tensor(given.points if isinstance(given, PointCloud) else given)
    if points.ndim != 2 or points.shape[1] != 3 or not points.is_floating_point():
        raise ValueError(
            f"voxelize(points): points has shape {tuple(points.shape)} and dtype {points.dtype}, but (P, 3) of a "
            f"floating type is needed: x, y, z in metres. Further columns belong into features=."
        )
    bad = int((~points.isfinite()).any(1).sum())
    if bad:
        raise ValueError(
            f"voxelize(points): {bad} of {len(points)} points are NaN or infinite. Remove them: points[isfinite rows]."
        )
    return points


def _as_features(given: Any, points: Tensor) -> Tensor:
    if given is None:
        return torch.ones(len(points), 1, device=points.device)
    features: Tensor = torch.as_tensor(given, device=points.device)
    if features.ndim != 2 or len(features) != len(points):
        raise ValueError(
            f"voxelize(points, features=...): {len(points)} points, so features needs shape ({len(points)}, "
            f"channels), but has {tuple(features.shape)}."
        )
    return features if features.is_floating_point() else features.float()


def _sizes(voxel_size_m: float | Sequence[float], points: Tensor) -> Tensor:
    sizes = torch.as_tensor(voxel_size_m, dtype=torch.float64, device=points.device).expand(3)
    if not bool((sizes > 0).all()) or not bool(sizes.isfinite().all()):
        raise ValueError(f"voxelize(voxel_size_m={voxel_size_m}): sizes are metres and must be positive.")
    return sizes


def _cells(points: Tensor, sizes: Tensor) -> Tensor:
    cells = (points.double() / sizes).floor()
    if len(cells) and float(cells.abs().max()) >= 2**31:
        axis = int(cells.abs().amax(0).argmax())
        raise ValueError(
            f"voxelize(points, voxel_size_m={sizes.tolist()}): points reach {float(points[:, axis].abs().max()):.3g} m "
            f"along {'xyz'[axis]}, which is more than 2**31 cells. Use larger voxels, or subtract an origin first."
        )
    return cells.long()


def _merge(call: str, coords: Tensor, feats: Tensor, reduce: Reduce) -> VoxelTensor:
    if reduce not in ("mean", "sum", "first", "error"):
        raise ValueError(f'{call}: reduce={reduce!r}; expected "mean", "sum", "first" or "error".')
    layout = choose_layout(coords, guard=_GUARD, lattice=_LATTICE, required=False)
    keys, order = pack(coords, layout).sort(stable=True)
    kept, segment, counts = torch.unique_consecutive(keys, return_inverse=True, return_counts=True)
    if reduce == "error" and len(kept) < len(keys):
        raise ValueError(
            f"{call}: {len(keys) - len(kept)} of {len(keys)} rows fall into a voxel that already has one. "
            f'Choose reduce="mean", "sum" or "first", or smaller voxels.'
        )
    if reduce in ("first", "error"):
        merged = feats[order[counts.cumsum(0) - counts]]
    else:
        merged = feats.new_zeros(len(kept), feats.shape[1]).index_add(0, segment, feats[order])
        merged = merged / counts[:, None] if reduce == "mean" else merged
    distinct = unpack(kept, layout)
    return VoxelTensor(
        distinct,
        merged,
        row_of_point=torch.empty_like(segment).scatter_(0, order, segment),
        sorted_keys=SortedKeys(kept, layout, None, version_of(distinct)),
    )

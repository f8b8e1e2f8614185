"""From points to what the network sees, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.voxel.segmentation.ground import height_above_ground
from tamis.voxel.tensor import VoxelTensor
from tamis.voxel.voxelization import voxelize

#: Features of a voxel: the constant 1, metres above ground / 2, horizontal range / 50 m, log2(points) / 4.
INPUT_CHANNELS = 4

_FARTHEST_M = 100.0  # as far as the sensors of the training streets see


def network_input(points: Tensor, voxel_size_m: float, height: Tensor | None = None) -> VoxelTensor:
    """Voxelize one scene.

    Intensities are left out on purpose: their scale differs between sensors, and generated ones are not physical.

    Parameters
    ----------
    points : Tensor, shape (N, 3), float32
        Origin at the sensor, z up.
    voxel_size_m : float
    height : Tensor, shape (N,), optional
        Metres above the local ground; by default these points alone tell.

    Returns
    -------
    VoxelTensor
        With INPUT_CHANNELS features; ``row_of_point`` (N,) is the row of each point's voxel.
    """
    height = height_above_ground(points) if height is None else height
    reach = points[:, :2].norm(dim=1).clamp(max=_FARTHEST_M)
    columns = torch.stack([torch.ones_like(height), (height / 2).clamp(-2, 4), reach / 50], 1)
    voxels = voxelize(points, voxel_size_m, columns)
    counts = torch.bincount(rows_of_points(voxels), minlength=len(voxels)).float()
    return voxels.with_feats(torch.cat([voxels.feats, (counts.log2() / 4)[:, None]], 1))


def rows_of_points(voxels: VoxelTensor) -> Tensor:
    """The row of each point's voxel, shape (N,), int64."""
    if voxels.row_of_point is None:
        raise ValueError("these voxels were not made from points by voxelize: they have no row_of_point.")
    return voxels.row_of_point


def voxel_labels(voxels: VoxelTensor, labels: Tensor, classes: int) -> Tensor:
    """The most frequent class of each voxel's points, or -1 where none has a class.

    Parameters
    ----------
    voxels : VoxelTensor
        From :func:`network_input`.
    labels : Tensor, shape (N,), int64
        Of the points; -1 for points without a class.
    """
    known = labels >= 0
    rows = rows_of_points(voxels)[known] * classes + labels[known]
    votes = torch.bincount(rows, minlength=len(voxels) * classes).reshape(-1, classes)
    return torch.where(votes.any(1), votes.argmax(1), -1)

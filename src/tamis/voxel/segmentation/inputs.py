"""From points to what the network sees, and back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tamis.voxel.segmentation.ground import height_above_ground
from tamis.voxel.tensor import VoxelTensor
from tamis.voxel.voxelization import devoxelize, voxelize

#: Features of a voxel: the constant 1, metres above ground / 2, horizontal range / 50 m, log2(points) / 4.
INPUT_CHANNELS = 4

_FARTHEST_M = 100.0  # as far as the sensors of the training streets see


@dataclass(frozen=True)
class NetworkInput:
    """Voxels with features, and for each point the row of its voxel."""

    voxels: VoxelTensor
    row_of_point: Tensor


def network_input(points: Tensor, voxel_size_m: float) -> NetworkInput:
    """Voxelize one scene.

    Intensities are left out on purpose: their scale differs between sensors, and generated ones are not physical.

    Parameters
    ----------
    points : Tensor, shape (N, 3), float32
        Origin at the sensor, z up.
    voxel_size_m : float
    """
    height = height_above_ground(points)
    reach = points[:, :2].norm(dim=1).clamp(max=_FARTHEST_M)
    columns = torch.stack([torch.ones_like(height), (height / 2).clamp(-2, 4), reach / 50], 1)
    voxels = voxelize(points, voxel_size_m, columns)
    numbers = torch.arange(len(voxels), dtype=torch.float64)[:, None]
    row = devoxelize(voxels.with_feats(numbers), points, voxel_size_m)[:, 0].long()
    counts = torch.bincount(row, minlength=len(voxels)).float()
    feats = torch.cat([voxels.feats, (counts.log2() / 4)[:, None]], 1)
    return NetworkInput(voxels.with_feats(feats), row)


def voxel_labels(scene: NetworkInput, labels: Tensor, classes: int) -> Tensor:
    """The most frequent class of each voxel's points, or -1 where none has a class.

    Parameters
    ----------
    labels : Tensor, shape (N,), int64
        Of the points; -1 for points without a class.
    """
    known = labels >= 0
    votes = torch.bincount(
        scene.row_of_point[known] * classes + labels[known], minlength=len(scene.voxels) * classes
    ).reshape(-1, classes)
    return torch.where(votes.any(1), votes.argmax(1), -1)

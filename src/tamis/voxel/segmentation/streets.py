"""Generated streets as training batches: every street is new, turned, scaled, thinned and cropped at random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

from tamis.voxel.scenes import STREET_LABELS, Scene, lidar_street
from tamis.voxel.segmentation.config import SegmentationConfig
from tamis.voxel.segmentation.inputs import network_input, voxel_labels
from tamis.voxel.tensor import VoxelTensor

_SCALE = 0.05
_THIN_SHARE, _SECTOR_SHARE = 0.3, 0.25  # how many streets lose points, or all but a sector


@dataclass(frozen=True)
class Batch:
    """Voxels of one or more streets, and their classes (-1: none)."""

    voxels: VoxelTensor
    labels: Tensor

    def to(self, device: torch.device) -> Batch:
        """Move to a device."""
        return Batch(self.voxels.to(device), self.labels.to(device))


class StreetBatches:
    """One epoch of batches. The same (config, epoch, generator state) gives the same batches."""

    def __init__(self, config: SegmentationConfig, epoch: int, generator: torch.Generator) -> None:
        self.config, self.epoch, self.generator = config, epoch, generator

    def __len__(self) -> int:
        return -(-self.config.scenes_per_epoch // self.config.scenes_per_batch)

    def __iter__(self) -> Iterator[Batch]:
        numbers = range(self.config.scenes_per_epoch)
        for start in range(0, len(numbers), self.config.scenes_per_batch):
            yield _collate([self._street(i) for i in numbers[start : start + self.config.scenes_per_batch]])

    def _street(self, number: int) -> Batch:
        number += self.epoch * self.config.scenes_per_epoch
        points, labels = augment(training_street(self.config, number), self.generator)
        voxels = network_input(points, self.config.voxel_size_m)
        return Batch(voxels, voxel_labels(voxels, labels, len(STREET_LABELS)))


def training_street(config: SegmentationConfig, number: int) -> Scene:
    """Street ``number`` of the training set; worlds and sensors take turns."""
    world = config.worlds[number % len(config.worlds)]
    sensor = config.sensors[number // len(config.worlds) % len(config.sensors)]
    return lidar_street(config.first_seed + number, sensor, world)


def augment(scene: Scene, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Turn, mirror, scale; drop points at random, or keep one sector as a camera's field of view does."""
    draw = torch.rand(7, generator=generator)
    angle, scale = float(draw[0]) * 2 * pi, 1 + _SCALE * (2 * float(draw[1]) - 1)
    c, s = torch.cos(torch.tensor(angle)), torch.sin(torch.tensor(angle))
    mirror = 1.0 if draw[2] < 0.5 else -1.0
    turn = torch.tensor([[c, s, 0.0], [-s * mirror, c * mirror, 0.0], [0.0, 0.0, 1.0]]) * scale
    points, labels = scene.points @ turn, scene.labels
    kept = torch.ones(len(points), dtype=torch.bool)
    if draw[3] < _THIN_SHARE:
        kept &= torch.rand(len(points), generator=generator) > 0.6 * draw[4]
    if draw[5] < _SECTOR_SHARE:
        kept &= torch.atan2(points[:, 1], points[:, 0]).abs() < pi * (0.25 + 0.5 * float(draw[6]))
    return points[kept], labels[kept]


def _collate(scenes: list[Batch]) -> Batch:
    if len(scenes) == 1:
        return scenes[0]
    coords = [scene.voxels.coords.clone() for scene in scenes]
    for number, part in enumerate(coords):
        part[:, 0] = number
    feats = torch.cat([scene.voxels.feats for scene in scenes])
    return Batch(
        VoxelTensor(torch.cat(coords), feats, batch_size=len(scenes)), torch.cat([s.labels for s in scenes])
    )

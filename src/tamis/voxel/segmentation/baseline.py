"""What height and distance alone can tell: the bar that a network has to clear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from tamis.voxel.scenes import Scene
from tamis.voxel.segmentation.ground import height_above_ground

_HEIGHT_STEP_M, _HEIGHT_BINS, _LOWEST_M = 0.1, 64, -0.5
_RANGE_STEP_M, _RANGE_BINS = 2.5, 40


@dataclass(frozen=True)
class HeightAndDistance:
    """The most frequent class of every (height above ground, distance) cell of a training set."""

    table: Tensor

    @classmethod
    def fit(cls, scenes: Iterable[Scene], classes: int) -> HeightAndDistance:
        """Count labels per cell; cells never seen take the most frequent class of their height."""
        counts = torch.zeros(_HEIGHT_BINS * _RANGE_BINS, classes)
        for scene in scenes:
            known = scene.labels >= 0
            flat = _cells(scene.points)[known] * classes + scene.labels[known]
            counts += torch.bincount(flat, minlength=counts.numel()).reshape(counts.shape)
        counts = counts.reshape(_HEIGHT_BINS, _RANGE_BINS, classes)
        filled = counts + counts.sum(1, keepdim=True) * 1e-9
        return cls(filled.argmax(2).flatten())

    def predict(self, points: Tensor) -> Tensor:
        """Labels of points, shape (N,), int64."""
        return self.table[_cells(points)]


def _cells(points: Tensor) -> Tensor:
    height = ((height_above_ground(points) - _LOWEST_M) / _HEIGHT_STEP_M).long().clamp(0, _HEIGHT_BINS - 1)
    reach = (points[:, :2].norm(dim=1) / _RANGE_STEP_M).long().clamp(0, _RANGE_BINS - 1)
    cell: Tensor = height * _RANGE_BINS + reach
    return cell

"""Confusion counts and intersection over union."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Confusion:
    """Counts of (true class, predicted class), points without a class left out.

    Attributes
    ----------
    counts : Tensor, shape (classes, classes + 1), int64
        The last column counts points that were given no class.
    """

    counts: Tensor

    @classmethod
    def of(cls, truth: Tensor, predicted: Tensor, classes: int) -> Confusion:
        """Count two vectors of labels; -1 in ``truth`` is left out, -1 in ``predicted`` is an error in any class."""
        known = truth >= 0
        truth, predicted = truth[known], predicted[known]

        flat = truth * (classes + 1) + torch.where(predicted < 0, classes, predicted)
        counts = torch.bincount(flat, minlength=classes * (classes + 1)).reshape(classes, classes + 1)
        return cls(counts)

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(self.counts + other.counts)

    def iou(self) -> Tensor:
        """Intersection over union per class; NaN for classes that occur neither in truth nor in prediction."""
        classes = len(self.counts)
        hit = self.counts[:, :classes].diagonal().double()
        union = self.counts.sum(1) + self.counts[:, :classes].sum(0) - hit
        return hit / union

    def mean_iou(self) -> float:
        """Mean over the classes that occur."""
        return float(self.iou().nanmean())

    def accuracy(self) -> float:
        """Share of points with the right class."""
        classes = len(self.counts)
        return float(self.counts[:, :classes].diagonal().sum() / self.counts.sum())

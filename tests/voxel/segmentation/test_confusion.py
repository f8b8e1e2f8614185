"""Intersection over union against sets."""

import math

import pytest
import torch

from tamis.voxel.segmentation.confusion import Confusion


def test_against_sets():
    generator = torch.Generator().manual_seed(0)
    truth, predicted = torch.randint(-1, 4, (2, 500), generator=generator)
    found = Confusion.of(truth, predicted, 5)
    rows = [(t, p) for t, p in zip(truth.tolist(), predicted.tolist(), strict=True) if t >= 0]
    for label in range(4):
        both = sum(t == p == label for t, p in rows)
        either = sum(label in (t, p) for t, p in rows)
        assert found.iou()[label] == pytest.approx(both / either)
    assert math.isnan(found.iou()[4])
    assert found.accuracy() == pytest.approx(sum(t == p for t, p in rows) / len(rows))
    assert found.mean_iou() == pytest.approx(found.iou()[:4].mean())


def test_counts_add_up():
    truth, predicted = torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0])
    parts = Confusion.of(truth[:1], predicted[:1], 2) + Confusion.of(truth[1:], predicted[1:], 2)
    assert torch.equal(parts.counts, Confusion.of(truth, predicted, 2).counts)

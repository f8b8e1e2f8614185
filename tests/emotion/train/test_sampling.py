"""Draws of an epoch: balanced means balanced, another epoch draws others."""

import numpy as np
import pytest
import torch

from tamis.emotion.train.sampling import balanced, bucketed, natural

ROWS = np.arange(100, 160)
LABELS = np.array([0] * 30 + [1] * 12 + [3] * 5 + [-1] * 13)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_natural_is_a_permutation() -> None:
    drawn = natural(ROWS, generator())
    assert sorted(drawn) == list(ROWS)
    assert list(drawn) != list(ROWS)


def test_balanced_has_equal_shares_and_the_ambiguous() -> None:
    drawn = balanced(ROWS, LABELS, generator())
    assert len(set(drawn)) == len(drawn)
    labels, counts = np.unique(LABELS[drawn - 100], return_counts=True)
    assert dict(zip(labels, counts, strict=True)) == {-1: 5, 0: 5, 1: 5, 3: 5}


def test_balanced_is_redrawn() -> None:
    draws = [balanced(ROWS, LABELS, generator(seed)) for seed in range(2)]
    for label in (-1, 0, 1):
        first, second = ({r for r in d if LABELS[r - 100] == label} for d in draws)
        assert first != second
    assert np.array_equal(balanced(ROWS, LABELS, generator(5)), balanced(ROWS, LABELS, generator(5)))


def test_fewer_ambiguous_than_categories_have() -> None:
    labels = np.array([0] * 4 + [1] * 4 + [-1])
    assert sorted(balanced(np.arange(9), labels, generator())) == list(range(9))
    assert len(balanced(np.arange(8), labels[:8], generator())) == 8
    with pytest.raises(ValueError, match="nothing can be balanced"):
        balanced(np.arange(2), np.array([-1, -1]), generator())


def test_buckets() -> None:
    rows = natural(np.arange(1000), generator())
    lengths = np.random.default_rng(0).integers(1, 500, 1000)
    batches = bucketed(rows, lengths, 10, generator())
    assert sorted(np.concatenate(batches)) == list(range(1000))
    padded = sum(lengths[b].max() * len(b) for b in batches)
    unsorted = sum(lengths[rows[i : i + 10]].max() * 10 for i in range(0, 1000, 10))
    assert padded < 0.75 * unsorted
    assert sorted(map(len, bucketed(rows[:7], lengths, 3, generator()))) == [1, 3, 3]

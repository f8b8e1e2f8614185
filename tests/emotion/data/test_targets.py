"""Target rules on votes counted by hand."""

import numpy as np
import pytest

from tamis.emotion.data.targets import (
    NO_AGREEMENT,
    RULES,
    all_inclusive,
    consensus,
    defined,
    disagreement,
    hard,
    primary,
    secondary,
    smoothed,
)

#                 angry sad calm other
VOTES = np.array(
    [[3, 1, 0, 0], [2, 2, 0, 1], [0, 0, 0, 5], [0, 0, 0, 0], [1, 0, 0, 3], [0, 0, 1, 0]], dtype=float
)
MENTIONS = np.array(
    [[0, 3, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=float
)


def test_primary() -> None:
    p = primary(VOTES, MENTIONS)
    np.testing.assert_allclose(p[[0, 1, 4, 5]], [[0.75, 0.25, 0], [0.5, 0.5, 0], [1, 0, 0], [0, 0, 1]])
    assert defined(p).tolist() == [True, True, False, False, True, True]


def test_secondary_counts_mentions() -> None:
    s = secondary(VOTES, MENTIONS)
    np.testing.assert_allclose(s[0], [3 / 8, 4 / 8, 1 / 8])
    np.testing.assert_allclose(s[2], [0, 1, 0])


def test_other() -> None:
    np.testing.assert_allclose(primary(VOTES, MENTIONS, "keep")[1], [0.4, 0.4, 0, 0.2])
    np.testing.assert_allclose(primary(VOTES, MENTIONS, "uniform")[4], [0.5, 0.25, 0.25])
    with pytest.raises(ValueError, match="'drop', 'keep' or 'uniform'"):
        primary(VOTES, MENTIONS, "ignore")  # type: ignore[arg-type]


def test_all_inclusive_drops_nothing() -> None:
    a = all_inclusive(VOTES, MENTIONS)
    assert defined(a).all()
    np.testing.assert_allclose(a[3], [1 / 3] * 3)
    np.testing.assert_allclose(a[2], np.array([5 / 3, 8 / 3, 5 / 3]) / 6)


def test_hard_takes_the_first_of_equals() -> None:
    h = hard(VOTES, MENTIONS)
    np.testing.assert_allclose(h[[0, 1, 5]], [[1, 0, 0], [1, 0, 0], [0, 0, 1]])
    assert defined(h).tolist() == defined(primary(VOTES, MENTIONS)).tolist()


@pytest.mark.parametrize("rule", RULES)
def test_rows_sum_to_one(rule: str) -> None:
    votes = np.random.default_rng(0).integers(0, 4, (200, 9)).astype(float)
    for other in ("drop", "keep", "uniform"):
        soft = RULES[rule](votes, votes[::-1], other)  # type: ignore[arg-type]
        soft = smoothed(soft[defined(soft)], 0.05)
        np.testing.assert_allclose(soft.sum(axis=1), 1)
        assert soft.min() >= 0.05 / soft.shape[1] - 1e-12


def test_smoothing_bounds() -> None:
    with pytest.raises(ValueError, match="below 1"):
        smoothed(np.ones((1, 2)), 1.0)


def test_consensus() -> None:
    assert consensus(VOTES).tolist() == [0, NO_AGREEMENT, NO_AGREEMENT, NO_AGREEMENT, NO_AGREEMENT, 2]
    assert consensus(VOTES, "keep").tolist() == [0, NO_AGREEMENT, 3, NO_AGREEMENT, 3, 2]


def test_disagreement_of_two_raters() -> None:
    np.testing.assert_allclose(disagreement(np.array([[1.0, 0], [0.5, 0.5]])), [0, 0.5])

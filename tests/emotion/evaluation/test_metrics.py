"""Every figure against sklearn, scipy or a count by hand."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from tamis.emotion.data.confusion import accuracy, confusion_matrix, f1_scores, macro_f1, recalls, uar
from tamis.emotion.data.predictions import Predictions
from tamis.emotion.evaluation.bootstrap import interval, paired_interval, speaker_confusions
from tamis.emotion.evaluation.metrics import (
    Truth,
    brier,
    ccc,
    disagreement_auroc,
    expected_calibration_error,
    jensen_shannon,
    per_category,
    per_slice,
    score,
)

RNG = np.random.default_rng(0)
N, C = 300, 5
LABELS = RNG.integers(0, C, N)
P = RNG.dirichlet(np.ones(C), N)
GUESS = P.argmax(axis=1)
SOFT = RNG.multinomial(5, np.ones(C) / C, N) / 5
SPEAKERS = np.array([f"s{i % 10}" for i in range(N)], dtype=object)


def predictions(p: np.ndarray = P) -> Predictions:
    names = np.array([f"u{i}" for i in range(len(p))], dtype=object)
    splits = np.full(len(p), "test", dtype=object)
    return Predictions(names, splits, ("a", "b", "c", "d", "e"), p, np.full((len(p), 3), 4.0))


def truth(labels: np.ndarray = LABELS, soft: np.ndarray = SOFT) -> Truth:
    return Truth(labels, soft, np.full((len(labels), 3), np.nan), SPEAKERS[: len(labels)])


def test_against_sklearn() -> None:
    confusion = confusion_matrix(LABELS, GUESS, C)
    assert uar(confusion) == pytest.approx(recall_score(LABELS, GUESS, average="macro"))
    assert macro_f1(confusion) == pytest.approx(f1_score(LABELS, GUESS, average="macro"))
    assert accuracy(confusion) == pytest.approx(accuracy_score(LABELS, GUESS))
    np.testing.assert_allclose(f1_scores(confusion), f1_score(LABELS, GUESS, average=None))


def test_category_without_an_utterance() -> None:
    confusion = confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 3)
    assert np.isnan(recalls(confusion)[2])
    assert uar(confusion) == 0.75
    assert macro_f1(confusion) == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_jensen_shannon() -> None:
    expected = np.mean([jensenshannon(p, q) ** 2 for p, q in zip(P, SOFT, strict=True)])
    assert jensen_shannon(P, SOFT) == pytest.approx(expected)
    assert jensen_shannon(np.eye(2), np.eye(2)[::-1]) == pytest.approx(np.log(2))
    holes = np.where(np.arange(N)[:, None] == 3, np.nan, SOFT)
    assert np.isfinite(jensen_shannon(P, holes))
    assert np.isnan(jensen_shannon(P, np.full_like(SOFT, np.nan)))


def test_calibration() -> None:
    sure = np.tile([0.8, 0.2], (10, 1))
    assert expected_calibration_error(sure, np.array([0] * 8 + [1] * 2)) == pytest.approx(0, abs=1e-6)
    assert expected_calibration_error(sure, np.array([0] * 3 + [1] * 7)) == pytest.approx(0.5, abs=1e-6)
    assert brier(np.array([[1.0, 0]]), np.array([1])) == 2
    assert np.isnan(brier(np.empty((0, 2)), np.empty(0, dtype=int)))


def test_disagreement() -> None:
    split = SOFT.max(axis=1) <= 0.5
    expected = roc_auc_score(split, 1 - (P**2).sum(axis=1))
    assert disagreement_auroc(P, SOFT) == pytest.approx(expected)
    assert disagreement_auroc(SOFT, SOFT) > 0.9
    assert np.isnan(disagreement_auroc(P, np.eye(C)[LABELS]))


def test_concordance() -> None:
    x = RNG.standard_normal(50)
    y = 0.5 * x + 0.3
    expected = 2 * np.cov(x, y)[0, 1] / (x.var(ddof=1) + y.var(ddof=1) + (x.mean() - y.mean()) ** 2)
    assert ccc(y, x) == pytest.approx(expected, rel=1e-6)
    assert ccc(np.append(y, 99.0), np.append(x, np.nan)) == pytest.approx(expected, rel=1e-6)
    assert np.isnan(ccc(y[:1], x[:1]))


def test_score_leaves_ambiguous_rows_to_the_distribution() -> None:
    labels = np.where(np.arange(N) < 100, -1, LABELS)
    figures = score(predictions(), truth(labels))
    assert figures["agreed"] == 200
    assert figures["accuracy"] == pytest.approx(accuracy_score(LABELS[100:], GUESS[100:]))
    assert figures["jsd"] == pytest.approx(jensen_shannon(P, SOFT))
    assert np.isnan(figures["ccc_valence"])
    nobody = score(predictions(), truth(np.full(N, -1)))
    assert np.isnan(nobody["uar"])


def test_tables() -> None:
    table = per_category(predictions(), truth())
    assert table["utterances"].sum() == N
    assert table[[f"as/{c}" for c in "abcde"]].to_numpy().sum() == N
    halves = np.array(["x", "y"], dtype=object)[np.arange(N) % 2]
    slices = per_slice(predictions(), truth(), {"half": halves})
    assert slices["value"].tolist() == ["x", "y"]
    assert slices["accuracy"][1] == pytest.approx(accuracy_score(LABELS[1::2], GUESS[1::2]))


def test_bootstrap_covers_what_it_should() -> None:
    """A paired gain of nothing has an interval around nothing; a true gain one above it."""
    ours = speaker_confusions(LABELS, GUESS, SPEAKERS, C)
    assert ours.shape == (10, C, C)
    same = paired_interval(ours, ours, uar)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    better = np.where(RNG.random(N) < 0.5, LABELS, GUESS)
    gain = paired_interval(speaker_confusions(LABELS, better, SPEAKERS, C), ours, uar)
    assert 0 < gain.low < gain.value < gain.high
    alone = interval(ours, uar)
    assert alone.low < alone.value < alone.high
    assert interval(ours, uar) == alone
    with pytest.raises(ValueError, match="not of the same speakers"):
        paired_interval(ours, ours[:3], uar)


def test_bootstrap_width_is_that_of_speakers() -> None:
    """Accuracies of 1 and 0, by speaker: the interval must be as wide as speakers differ, not as utterances do."""
    labels, guess = np.zeros(1000, dtype=np.int64), np.repeat([0, 1], 500)
    speakers = np.repeat([f"s{i}" for i in range(10)], 100).astype(object)
    wide = interval(speaker_confusions(labels, guess, speakers, 2), accuracy)
    assert wide.high - wide.low > 0.5

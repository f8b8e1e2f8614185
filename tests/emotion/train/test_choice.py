"""What the members are joined by: the vote unless the evidence of unseen speakers is for more."""

import numpy as np
import pytest

from tamis.emotion.train.choice import Joined, choose, log_likelihoods

ATTRIBUTES = np.full((1, 3), np.nan)


def joined(p: np.ndarray) -> Joined:
    return Joined(p, np.repeat(ATTRIBUTES, len(p), axis=0))


def answers(labels: np.ndarray, right: float) -> np.ndarray:
    """Distributions over three categories with ``right`` for the true one."""
    p = np.full((len(labels), 3), (1 - right) / 2)
    p[np.arange(len(labels)), labels] = right
    return p


def test_temperature_and_frequencies_do_not_count() -> None:
    """The same knowledge, sharper and moved to other frequencies, has the same likelihood."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=600)
    p = rng.dirichlet(np.ones(3), 600) + 2 * np.eye(3)[labels]
    p /= p.sum(axis=1, keepdims=True)
    moved = p**3 * np.array([0.7, 0.2, 0.1])
    moved /= moved.sum(axis=1, keepdims=True)
    shares = np.eye(3)[labels]
    np.testing.assert_allclose(log_likelihoods(moved, shares), log_likelihoods(p, shares), atol=0.01)
    assert log_likelihoods(p, shares).mean() > np.log(p[np.arange(600), labels]).mean()


def test_likelihood_of_no_knowledge_is_that_of_the_frequencies() -> None:
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    found = log_likelihoods(np.full((100, 3), 1 / 3), np.eye(3)[labels])
    np.testing.assert_allclose(found, np.log([0.6, 0.3, 0.1])[labels], atol=0.02)


def noisy(labels: np.ndarray, wrong: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    heard = np.where(rng.random(len(labels)) < wrong, rng.integers(3, size=len(labels)), labels)
    return answers(heard, 0.8)


def test_more_is_taken_where_every_speaker_speaks_for_it() -> None:
    labels = np.random.default_rng(0).integers(3, size=400)
    speakers = [f"s{i % 8}" for i in range(400)]
    candidates = {
        "vote": joined(noisy(labels, 0.6, 1)),
        "weights": joined(noisy(labels, 0.3, 2)),
        "linear": joined(noisy(labels, 0.29, 3)),
    }
    choice = choose(candidates, np.eye(3)[labels], speakers)
    assert choice.chosen == "weights"
    vote, weights, _ = choice.standings
    assert vote.behind > vote.standard_error
    assert weights.behind <= weights.standard_error
    assert "log-likelihood per utterance of 8 unseen speakers: vote -" in str(choice)


@pytest.mark.parametrize("speakers", [1, 6])
def test_the_vote_stays_where_few_speakers_say_little(speakers: int) -> None:
    labels = np.random.default_rng(0).integers(3, size=36)
    p = noisy(labels, 0.4, 1)
    slightly = p.copy()
    slightly[:6] = answers(labels[:6], 0.8)  # better for one speaker of six,
    slightly[6] = answers((labels[6:7] + 1) % 3, 0.8)  # and a little worse for another
    choice = choose(
        {"vote": joined(p), "linear": joined(slightly)},
        np.eye(3)[labels],
        [f"s{i * speakers // 36}" for i in range(36)],
    )
    assert choice.chosen == "vote"
    assert choice.standings[0].behind > 0
    assert "linear is better by" in str(choice)

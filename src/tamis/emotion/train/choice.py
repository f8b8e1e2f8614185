"""What the members are joined by: their vote, a weighted vote, or a linear layer; the simplest that the evidence allows.

Every candidate predicts each fold's speakers after it has learnt from the others'. A candidate's temperature and the frequencies
of the categories are fitted to its predictions before they are compared, so that one which is made for balanced categories and
one which is made for the natural frequencies stand on equal terms. The unit of evidence is the speaker: the best candidate
has to beat a simpler one by more than one standard error over speakers (the rule of [1], section 3.4.3, there for trees).

References
----------
[1] Breiman, Friedman, Olshen, Stone. Classification and regression trees. Wadsworth 1984.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from tamis.emotion.network import soft_cross_entropy

Floats = npt.NDArray[np.float64]
STEPS = 100
LOOSE_FREQUENCIES = 1e-3
"""Strength of the pull that keeps the frequency of a category without a vote finite."""


@dataclass(frozen=True)
class Joined:
    """Out-of-fold predictions of one candidate: probabilities (N, C) and attributes (N, 3)."""

    probabilities: Floats
    attributes: Floats


@dataclass(frozen=True)
class Standing:
    """How one candidate did: nats per utterance, mean over speakers; how far behind the best it is, and that gap's standard error."""

    name: str
    log_likelihood: float
    behind: float
    standard_error: float


@dataclass(frozen=True)
class Choice:
    """The chosen candidate, and how all of them did, simplest first."""

    chosen: str
    speakers: int
    standings: tuple[Standing, ...]

    def __str__(self) -> str:
        """One line for people."""
        best = max(self.standings, key=lambda s: s.log_likelihood)
        mine = next(s for s in self.standings if s.name == self.chosen)
        figures = ", ".join(f"{s.name} {s.log_likelihood:.3f}" for s in self.standings)
        why = (
            "the best of them"
            if mine is best
            else f"{best.name} is better by {mine.behind:.3f} only, with a standard error of {mine.standard_error:.3f}"
        )
        return (
            f"members are joined by {self.chosen} ({why}; log-likelihood per utterance of {self.speakers} unseen "
            f"speakers: {figures})"
        )


def choose(joined: Mapping[str, Joined], shares: Floats, speakers: Sequence[str]) -> Choice:
    """Compare candidates, simplest first.

    Parameters
    ----------
    joined : mapping of name to Joined
    shares : shape (N, C)
        Of the raters' votes.
    speakers : sequence of str, length N
    """
    names = sorted(set(speakers))
    owner = np.array([names.index(s) for s in speakers])
    by_speaker = {
        name: speaker_means(log_likelihoods(j.probabilities, shares), owner) for name, j in joined.items()
    }
    best = max(by_speaker.values(), key=lambda figures: float(figures.mean()))
    standings = tuple(
        Standing(name, float(figures.mean()), float((best - figures).mean()), standard_error(best - figures))
        for name, figures in by_speaker.items()
    )
    chosen = next(s for s in standings if s.behind <= s.standard_error)
    return Choice(chosen.name, len(names), standings)


def speaker_means(figures: Floats, owner: npt.NDArray[np.int64]) -> Floats:
    means: Floats = np.bincount(owner, weights=figures) / np.bincount(owner)
    return means


def standard_error(gaps: Floats) -> float:
    """Of the mean; infinite for one speaker, who proves nothing."""
    return float(gaps.std(ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else float("inf")


def log_likelihoods(probabilities: Floats, shares: Floats) -> Floats:
    """Of every utterance's votes, shape (N,), in nats, under the temperature and category frequencies that fit best."""
    logits = torch.from_numpy(np.log(probabilities.clip(min=1e-12)))
    wanted = torch.from_numpy(shares)
    sharpness = torch.ones(1, dtype=torch.float64, requires_grad=True)
    frequencies = torch.zeros(shares.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([sharpness, frequencies], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        error = soft_cross_entropy(logits * sharpness + frequencies, wanted)
        error = error + LOOSE_FREQUENCIES * frequencies.square().sum()
        error.backward()
        return error.item()

    optimizer.step(loss)
    with torch.no_grad():
        found: Floats = (wanted * (logits * sharpness + frequencies).log_softmax(dim=1)).sum(dim=1).numpy()
    return found

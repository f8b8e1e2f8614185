"""From raters' votes to what is learnt: each rule a function of counts.

Every function takes counts of shape (N, C + 1), the last column being votes outside the categories ("other"), as
:meth:`FeatureSet.votes` gives them, and returns soft labels of shape (N, C) whose rows sum to 1. A row for which a rule has
no answer (nobody voted for a category) is NaN; :func:`defined` marks the other rows.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Other = Literal["drop", "keep", "uniform"]
"""Votes for "other": dropped before normalising; kept as a category of its own, the last; or shared among all."""

NO_AGREEMENT: Final = -1


def primary(votes: Array, mentions: Array, other: Other = "drop") -> Array:
    """P-type: share of the raters whose primary vote a category got."""
    return _shares(votes, other)


def secondary(votes: Array, mentions: Array, other: Other = "drop") -> Array:
    """S-type: share of all mentions, primary and secondary, that a category got."""
    return _shares(votes + mentions, other)


def all_inclusive(votes: Array, mentions: Array, other: Other = "uniform") -> Array:
    """Every mention of every rater, and no utterance dropped: where nothing is known, all categories are as likely.

    References
    ----------
    [1] Chou et al. Embracing ambiguity and subjectivity using the all-inclusive aggregation rule for evaluating
        multi-label speech emotion recognition systems. SLT 2024.
    """
    shares = _shares(votes + mentions, other)
    filled: Array = np.where(np.isnan(shares), 1 / shares.shape[1], shares)
    return filled


def hard(votes: Array, mentions: Array, other: Other = "drop") -> Array:
    """One-hot label of the largest P-type share; of equal ones the first (as published)."""
    shares = primary(votes, mentions, other)
    one_hot = np.eye(shares.shape[1])[np.nan_to_num(shares).argmax(axis=1)]
    labels: Array = np.where(defined(shares)[:, None], one_hot, np.nan)
    return labels


RULES: Final[Mapping[str, Callable[[Array, Array, Other], Array]]] = MappingProxyType(
    {"primary": primary, "secondary": secondary, "all_inclusive": all_inclusive, "hard": hard}
)


def smoothed(soft: Array, epsilon: float) -> Array:
    """Move a share ``epsilon`` of every label to the uniform distribution (EMO-SUPERB uses 0.05)."""
    if not 0 <= epsilon < 1:
        raise ValueError(f"smoothed(soft, epsilon={epsilon}): epsilon must be at least 0 and below 1.")
    moved: Array = (1 - epsilon) * soft + epsilon / soft.shape[1]
    return moved


def defined(soft: Array) -> npt.NDArray[np.bool_]:
    """Rows, shape (N,), for which the rule had an answer."""
    answered: npt.NDArray[np.bool_] = np.logical_not(np.isnan(soft).any(axis=1))
    return answered


def consensus(votes: Array, other: Other = "drop") -> npt.NDArray[np.int64]:
    """The plurality's category, shape (N,), or :data:`NO_AGREEMENT`: a tie, no vote, or "other" in front.

    With ``other="keep"`` "other" is a category like the rest (index C).
    """
    best = votes.max(axis=1)
    winners = votes == best[:, None]
    agreed = (winners.sum(axis=1) == 1) & (best > 0)
    if other != "keep":
        agreed &= ~winners[:, -1]
    return np.where(agreed, winners.argmax(axis=1), NO_AGREEMENT).astype(np.int64)


def disagreement(soft: Array) -> Array:
    """Probability, shape (N,), that two raters drawn from the distribution name different categories: 1 - Σ p²."""
    apart: Array = 1 - np.square(soft).sum(axis=1)
    return apart


def _shares(counts: Array, other: Other) -> Array:
    if other == "keep":
        kept = counts
    elif other == "uniform":
        kept = counts[:, :-1] + counts[:, -1:] / (counts.shape[1] - 1)
    elif other == "drop":
        kept = counts[:, :-1]
    else:
        raise ValueError(f"targets: other={other!r}; expected 'drop', 'keep' or 'uniform'.")
    total = kept.sum(axis=1, keepdims=True)
    shares: Array = np.divide(kept, total, out=np.full_like(kept, np.nan, dtype=np.float64), where=total > 0)
    return shares

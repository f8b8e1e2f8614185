"""How common each category is where the recogniser is used, and the answer under that assumption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Prior = Literal["trained", "natural", "balanced"] | Mapping[str, float]
"""``"trained"``: as the model is; ``"natural"``: the training corpus' shares; ``"balanced"``: all equally common; or shares
by category, which need not sum to one. Categories that the shares leave out, or give 0, are ruled out."""

RAREST = 1e-4
LEAST = float(np.finfo(np.float32).tiny)
"""What a softmax in float32 rounds to 0; so that something is left where a prior rules out the rest."""


def target_shares(
    prior: Prior, categories: Sequence[str], natural: Sequence[float], trained: Sequence[float]
) -> NDArray[np.float64]:
    """Shares of the categories under ``prior``, shape (C,), sum 1.

    Raises
    ------
    ValueError   for an unknown word or category, shares that are no numbers or negative, and for less than two categories.
    """
    if prior == "trained":
        return normalised(trained)
    if prior == "natural":
        return normalised(natural)
    if prior == "balanced":
        return np.full(len(categories), 1.0 / len(categories))
    if not isinstance(prior, Mapping):
        raise ValueError(
            f"prior={prior!r}: expected 'trained', 'natural', 'balanced' or shares such as {{'{categories[0]}': 0.2, …}}."
        )
    if unknown := [name for name in prior if name not in categories]:
        raise ValueError(
            f"prior names {', '.join(map(str, unknown))}; the model's categories are {', '.join(categories)}."
        )
    shares = np.array([prior.get(c, 0.0) for c in categories], dtype=np.float64)
    if not (np.isfinite(shares).all() and (shares >= 0).all() and np.count_nonzero(shares) > 1):
        raise ValueError(
            f"prior: expected positive shares of at least two categories (others are ruled out), got {dict(prior)}."
        )
    wanted: NDArray[np.float64] = shares / shares.sum()
    return wanted


def adjust(
    p: NDArray[np.float64], trained: Sequence[float], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distributions (..., C) of a model that learnt under ``trained`` shares, moved to ``wanted`` shares.

    By Bayes' rule p(c | x) is proportional to p(x | c) p(c), so the ratio of the shares multiplies.

    References
    ----------
    [1] Saerens, Latinne, Decaestecker. Adjusting the outputs of a classifier to new a priori probabilities. Neural
        Computation 14(1), 2002.
    """
    ratio = np.maximum(p, LEAST) * wanted / normalised(trained)
    moved: NDArray[np.float64] = ratio / ratio.sum(axis=-1, keepdims=True)
    return moved


def normalised(shares: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares that sum to one, none of them zero: a category that was never seen is rare, not impossible."""
    values = np.maximum(np.asarray(shares, dtype=np.float64), RAREST)
    shared: NDArray[np.float64] = values / values.sum()
    return shared

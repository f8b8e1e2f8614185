"""Which units stay: the exact top of every group that competes, ties included."""

import math

import torch
from torch import Tensor

from tamis.pruning.patterns import Pattern, misfit, spread, unit_scores
from tamis.pruning.scores import Compare


def select(score: Tensor, pattern: Pattern, sparsity: float, compare: Compare) -> Tensor:
    """Turn the scores of a weight into a mask: in every group that competes, the highest units stay.

    Parameters
    ----------
    score : Tensor, shape (m, k)
    pattern : Blocks or NOfM
    sparsity : float
        Fraction of units to drop from every group.
    compare : "row" or "layer"
        What a group is: a row of units, or the whole weight. N:M wants "row", its own groups.

    Returns
    -------
    Tensor, bool, shape of the score; True stays.

    Raises
    ------
    ValueError   if the score cannot be cut into the pattern, or the other arguments are out of range.
    """
    if score.ndim != 2 or not 0 <= sparsity <= 1 or compare not in ("row", "layer"):
        raise ValueError(
            f"select(score, pattern, sparsity={sparsity!r}, compare={compare!r}): expected a score (m, k) and not {tuple(score.shape)}, a "
            "sparsity between 0 and 1, compare 'row' or 'layer'."
        )
    if wrong := misfit((score.shape[0], score.shape[1]), pattern):
        raise ValueError(f"select(score, pattern): {wrong}.")
    units = unit_scores(score, pattern)
    groups = units if compare == "row" else units.reshape(1, -1)
    kept = keep_top(groups, keep_count(groups.shape[1], sparsity))
    return spread(kept.reshape(units.shape), pattern, (score.shape[0], score.shape[1]))


def keep_count(units: int, sparsity: float) -> int:
    """How many of the units stay: the nearest number to the target."""
    return units - math.floor(sparsity * units + 0.5)


def keep_top(scores: Tensor, keep: int) -> Tensor:
    """Mark the ``keep`` highest scores of every row.

    Among equal scores the first in the row win, so the result is exact and the same on every run.

    Parameters
    ----------
    scores : Tensor, shape (groups, units)
        Without NaN.
    keep : int
        Between 0 and ``units``.

    Returns
    -------
    Tensor, bool, same shape, exactly ``keep`` True in every row.
    """
    units = scores.shape[1]
    if keep == 0 or scores.numel() == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    threshold = scores.kthvalue(units - keep + 1, dim=1, keepdim=True).values
    above = scores > threshold
    tied = scores == threshold
    room = keep - above.sum(1, keepdim=True)
    if bool((tied.sum(1, keepdim=True) > room).any()):
        tied &= tied.cumsum(1) <= room  # int64: eight bytes a unit, so only where it decides something
    return above | tied

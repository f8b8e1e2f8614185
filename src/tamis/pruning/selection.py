"""Which units stay: the exact top of every group that competes, ties included."""

import math

import torch
from torch import Tensor

from tamis.pruning.patterns import Pattern, spread, unit_scores
from tamis.pruning.scores import Compare


def select(scores: list[Tensor], pattern: Pattern, sparsity: float, compare: Compare) -> list[Tensor]:
    """Turn the scores of several weights into masks: in every group that competes, the highest units stay.

    Parameters
    ----------
    scores : list of Tensor, each (m, k)
    pattern : Blocks or NOfM
    sparsity : float
        Fraction of units to drop from every group.
    compare : "row", "layer" or "model"
        What a group is: a row of units, one weight, or all weights together. N:M wants "row", its own groups.

    Returns
    -------
    list of Tensor, bool, shapes of the scores; True stays.
    """
    if not scores:
        return []
    units = [unit_scores(score, pattern) for score in scores]
    if compare == "row":
        kept = [keep_top(u, _keep_count(u.shape[1], sparsity)) for u in units]
    elif compare == "layer":
        kept = [keep_top(u.reshape(1, -1), _keep_count(u.numel(), sparsity)).reshape(u.shape) for u in units]
    else:
        pool = torch.cat([u.flatten().to(units[0].device) for u in units])
        decided = keep_top(pool.unsqueeze(0), _keep_count(pool.numel(), sparsity))[0]
        parts = torch.split(decided, [u.numel() for u in units])
        kept = [part.reshape(u.shape).to(u.device) for part, u in zip(parts, units, strict=True)]
    return [spread(k, pattern, (s.shape[0], s.shape[1])) for k, s in zip(kept, scores, strict=True)]


def _keep_count(units: int, sparsity: float) -> int:
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
    return above | (tied & (tied.cumsum(1) <= room))

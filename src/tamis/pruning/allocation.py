"""How sparse each layer becomes, so that all of them together meet the target.

To add an allocation, write a function (scores, pattern, sparsity) -> sparsities and name it in ``ALLOCATIONS``.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from tamis.pruning.patterns import Pattern, unit_scores
from tamis.pruning.selection import keep_count

Allocate = Callable[[Iterable[Tensor], Pattern, float], list[float]]


def one_threshold(scores: Iterable[Tensor], pattern: Pattern, sparsity: float) -> list[float]:
    """Let the units of all layers compete under one threshold: layers of small scores lose more.

    Parameters
    ----------
    scores : iterable of Tensor, each (m, k)
        One per layer; only the sums over units are kept.
    pattern : Blocks
    sparsity : float
        Fraction of units to drop, over all layers.

    Returns
    -------
    list of float
        Fraction of units to drop, per layer. Ties go to the layers that come first.
    """
    units = [unit_scores(score, pattern).flatten().cpu() for score in scores]
    sizes = [len(layer) for layer in units]
    keep = keep_count(sum(sizes), sparsity)
    if keep == 0:
        return [1.0] * len(sizes)
    pool = torch.cat(units)
    del units
    threshold = pool.kthvalue(len(pool) - keep + 1).values
    room, dropped = keep - int((pool > threshold).sum()), []
    for layer in pool.split(sizes):
        tied = min(int((layer == threshold).sum()), room)
        room -= tied
        dropped.append(1 - (int((layer > threshold).sum()) + tied) / len(layer))
    return dropped


# None: every layer gets the same sparsity, and no scores are needed.
ALLOCATIONS: dict[str, Allocate | None] = {"uniform": None, "global": one_threshold}

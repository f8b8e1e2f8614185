"""Which weights go, and what becomes of the others: one record per method.

To add a method, write a function (weight, statistics, pattern, sparsity) -> (weight, mask) in a file of its own and name
it in ``METHODS``. What :class:`tamis.inspect.LayerStatistics` it needs is measured for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from torch import Tensor

from tamis.inspect import LayerStatistics
from tamis.pruning.patterns import NOfM, Pattern
from tamis.pruning.scores import SCORES, Compare, Score
from tamis.pruning.selection import select

Needs = Literal["norms", "gram"] | None
PruneLayer = Callable[[Tensor, LayerStatistics | None, Pattern, float], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Method:
    """A way to prune one layer.

    Attributes
    ----------
    name : str
    needs : None, "norms" or "gram"
        What it must know of the layer's inputs, and so whether it needs a calibration run: nothing, the norms of the
        input columns, or the Gram matrix XᵀX as well. With "gram" the model is pruned block by block, and every block
        sees the inputs that the pruned blocks before it make.
    prune_layer : callable
        (weight (m, k), LayerStatistics or None, pattern, sparsity) -> (new weight (m, k), mask). The mask is bool, True
        where a weight stays; the new weight is zero elsewhere, and may differ from the old one where it stays. The
        given weight must not be changed.
    score : Score, optional
        How it ranks weights, if it does: then ``compare=`` and ``allocation="global"`` work, and the report tells the
        share of the score that is kept.
    """

    name: str
    needs: Needs
    prune_layer: PruneLayer
    score: Score | None = None


def by_score(score: Score, compare: Compare | None = None) -> Method:
    """Make the method that keeps the units of the highest score, with their weights as they are.

    Parameters
    ----------
    score : Score
    compare : "row" or "layer", optional
        Which units compete; default: what the score says.
    """
    if compare is not None:
        score = replace(score, compare=compare)
    return Method(score.name, "norms" if score.calibrated else None, partial(_keep_best, score), score)


def _keep_best(
    score: Score, weight: Tensor, statistics: LayerStatistics | None, pattern: Pattern, sparsity: float
) -> tuple[Tensor, Tensor]:
    values = score.of(weight, statistics.norms if statistics else None)
    if not isinstance(values, Tensor):
        raise ValueError(f"the score of a weight is a {type(values).__name__}, expected a tensor")
    if values.shape != weight.shape or values.isnan().any():
        raise ValueError(
            f"the score of a weight of {tuple(weight.shape)} has shape {tuple(values.shape)} or contains NaN "
            "(NaN in the calibration inputs?)"
        )
    mask = select(values, pattern, sparsity, "row" if isinstance(pattern, NOfM) else score.compare)
    return weight.masked_fill(~mask, 0), mask


METHODS = {score.name: by_score(score) for score in SCORES.values()}

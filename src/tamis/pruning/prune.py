"""prune(model): score × pattern × sparsity, from a model to the same model with zeros."""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from tamis.inspect import LinearWeight, ModelInputs, Where, chosen, find_linear_weights, input_norms
from tamis.pruning.patterns import NOfM, Pattern, misfit, parse_pattern
from tamis.pruning.report import PrunedLayer, PruneReport
from tamis.pruning.scores import SCORES, Compare, Score
from tamis.pruning.selection import select


def prune(
    model: nn.Module,
    sparsity: float | None = None,
    pattern: str = "unstructured",
    score: str | Score = "magnitude",
    *,
    compare: Compare | None = None,
    calibration: Iterable[ModelInputs] | None = None,
    where: Where | None = None,
) -> PruneReport:
    """Set the least important weights of a model's linear layers to zero, in place.

    Covers ``nn.Linear`` and the projections inside ``nn.MultiheadAttention``. A weight that several layers
    share is pruned once. Layers that do not divide into the pattern, and weights that are also something else
    (a tied embedding), are left alone; the report says so. If anything raises, the model is unchanged.

    Parameters
    ----------
    model : nn.Module
    sparsity : float in [0, 1]
        Fraction of zeros, met to within one unit of the pattern in every group that is compared. N:M patterns
        fix it themselves; leave it out there.
    pattern : str
        "unstructured"; blocks of rows x columns such as "4x1", "16x1", "1x4", "32x32"; or N:M such as "2:4".
    score : "magnitude", "wanda" or Score
        How much a weight matters. The score of a block is the sum over its weights.
    compare : "row", "layer" or "model", optional
        Which units compete: those of one row (of blocks), of one layer, or of all chosen layers, under one
        threshold. Default: what the score was published with ("layer" for magnitude, "row" for wanda). N:M
        compares its own groups.
    calibration : iterable of model inputs, optional
        For calibrated scores: a tensor, tuple or mapping per forward pass.
    where : str or callable, optional
        Which layers: a pattern of names ("encoder.*") or a predicate (name, module) -> bool. Default: all.

    Returns
    -------
    PruneReport
        Rows per layer, and the masks.

    Raises
    ------
    ValueError   if sparsity, pattern and score do not fit together, a weight is NaN, or no layer is chosen.

    References
    ----------
    [1] Han, Pool, Tran, Dally. Learning both Weights and Connections for Efficient Neural Networks. 2015.
    """
    cut = parse_pattern(pattern)
    ranking = _resolve_score(score, calibration)
    fraction = _resolve_sparsity(sparsity, cut)
    scope = _resolve_compare(compare, cut, ranking)
    _check_materialised(model)
    targets = find_linear_weights(model)
    norms: dict[nn.Module, Tensor] = {}
    if calibration is not None:
        norms = input_norms(
            model, calibration, [t.module for t in targets if isinstance(t.module, nn.Linear)]
        )
        if not norms:
            raise ValueError(
                "prune(calibration=...): no nn.Linear ran on the calibration inputs; is the iterable empty?"
            )
    left = {target.parameter: _why_left(target, cut, where, ranking, norms) for target in targets}
    _check_choice(model, targets, where)

    pruned = [target for target in targets if left[target.parameter] is None]
    with torch.no_grad():
        scores = [_score(ranking, target, norms) for target in pruned]
        masks = select(scores, cut, fraction, scope)
        kept = [_share(s, mask) for s, mask in zip(scores, masks, strict=True)]
        by_name = {target.parameter: mask for target, mask in zip(pruned, masks, strict=True)}
    apply_masks(model, by_name)

    shares = dict(zip(by_name, kept, strict=True))
    rows = tuple(_row(target, shares.get(target.parameter), left[target.parameter]) for target in targets)
    return PruneReport(str(cut), ranking.name, rows, sum(p.numel() for p in model.parameters()), by_name)


def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the masked weights to zero again, in place: after every optimizer step, training keeps the zeros.

    Parameters
    ----------
    model : nn.Module
    masks : mapping
        Parameter name -> bool Tensor of the parameter's shape, as in ``prune(...).masks``.
    """
    with torch.no_grad():
        for name, mask in masks.items():
            weight = model.get_parameter(name)
            weight.masked_fill_(~mask.to(weight.device), 0)


def _resolve_score(score: str | Score, calibration: object) -> Score:
    if isinstance(score, str):
        if score not in SCORES:
            raise ValueError(f"prune(score={score!r}): expected one of {sorted(SCORES)} or a Score.")
        score = SCORES[score]
    if score.calibrated and calibration is None:
        raise ValueError(f"prune(score={score.name!r}) needs calibration=, an iterable of model inputs.")
    if not score.calibrated and calibration is not None:
        raise ValueError(f"prune(score={score.name!r}) looks at weights only: leave calibration= out.")
    return score


def _resolve_sparsity(sparsity: float | None, pattern: Pattern) -> float:
    if isinstance(pattern, NOfM):
        if sparsity is not None and not math.isclose(sparsity, pattern.sparsity, abs_tol=1e-6):
            raise ValueError(
                f"prune(sparsity={sparsity}, pattern='{pattern}'): {pattern} always has sparsity "
                f"{pattern.sparsity:g}; leave sparsity out, or choose another pattern."
            )
        return pattern.sparsity
    if sparsity is None:
        raise ValueError(f"prune(pattern='{pattern}') needs sparsity=, for example sparsity=0.8.")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"prune(sparsity={sparsity}): expected a fraction of zeros between 0 and 1.")
    return sparsity


def _resolve_compare(compare: Compare | None, pattern: Pattern, score: Score) -> Compare:
    if isinstance(pattern, NOfM):
        if compare is not None:
            raise ValueError(
                f"prune(pattern='{pattern}', compare={compare!r}): N:M compares its own groups; leave it out."
            )
        return "row"
    if compare not in (None, "row", "layer", "model"):
        raise ValueError(f"prune(compare={compare!r}): expected 'row', 'layer' or 'model'.")
    return compare or score.compare


def _check_materialised(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if is_lazy(parameter):
            raise ValueError(
                f"prune(model): {name} is not initialised yet; run the model once on example inputs first."
            )


def _check_choice(model: nn.Module, targets: list[LinearWeight], where: Where | None) -> None:
    if not targets:
        raise ValueError(
            f"prune(model): {type(model).__name__} has no nn.Linear and no nn.MultiheadAttention."
        )
    if not any(chosen(target.name, target.module, where) for target in targets):
        some = ", ".join(repr(target.name) for target in targets[:3])
        raise ValueError(
            f"prune(where={where!r}) chooses none of the model's {len(targets)} layers ({some}, ...)."
        )


def _why_left(
    target: LinearWeight,
    pattern: Pattern,
    where: Where | None,
    score: Score,
    norms: Mapping[nn.Module, Tensor],
) -> str | None:
    if not chosen(target.name, target.module, where):
        return "not chosen by where="
    if target.weight is None or target.obstacle:
        return target.obstacle
    if score.calibrated and target.module not in norms:
        return "calibration never called it"
    rows, cols = target.weight.shape
    return misfit((rows, cols), pattern)


def _score(score: Score, target: LinearWeight, norms: Mapping[nn.Module, Tensor]) -> Tensor:
    """Score one weight; NaN is the caller's mistake, and would sort arbitrarily."""
    weight = target.weight
    if weight is None:
        raise RuntimeError(f"{target.name} has no weight to score")
    if weight.isnan().any():
        raise ValueError(
            f"prune(model): {target.parameter} has NaN weights; nothing was pruned. Repair the layer first."
        )
    result = score.of(weight, norms.get(target.module))
    if result.shape != weight.shape or result.isnan().any():
        raise ValueError(
            f"prune(score={score.name!r}): the score of {target.parameter}, a weight of {tuple(weight.shape)}, has "
            f"shape {tuple(result.shape)} or contains NaN (NaN in the calibration inputs?); "
            "nothing was pruned."
        )
    return result


def _share(score: Tensor, mask: Tensor) -> float:
    total = float(score.sum(dtype=torch.float64))
    return float(score[mask].sum(dtype=torch.float64)) / total if total else 1.0


def _row(target: LinearWeight, kept_score: float | None, left: str | None) -> PrunedLayer:
    weight, module = target.weight, target.module
    if weight is None and isinstance(module, nn.Linear):
        return PrunedLayer(target.name, (module.out_features, module.in_features), 0, left=left)
    assert weight is not None  # only linear layers compute their weight
    zeros = 0 if weight.is_meta else weight.numel() - int(weight.count_nonzero())
    return PrunedLayer(target.name, tuple(weight.shape), zeros, kept_score, target.aliases, left)

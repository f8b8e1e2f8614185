"""Running a method over the layers of a model; if anything raises, the model is as it was."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tamis.inspect import LayerStatistics, LinearWeight, ModelInputs, blocks, layer_statistics
from tamis.pruning.methods import Method
from tamis.pruning.patterns import Pattern

Statistics = Mapping[nn.Module, LayerStatistics]


@dataclass(frozen=True)
class LayerJob:
    """A weight to prune, and how far."""

    target: LinearWeight
    weight: Tensor
    sparsity: float


@dataclass(frozen=True, eq=False)
class PrunedWeight:
    """What a method made of a weight.

    Attributes
    ----------
    mask : Tensor, bool, (m, k)
    weight : Tensor (m, k) or None
        None where it is the old one, masked.
    kept_score : float or None
        Share of the summed score that stays, for methods that rank; None if the sum is infinite.
    output_error : float or None
        ‖X (W - W')ᵀ‖ / ‖X Wᵀ‖ on the calibration inputs X, where their Gram matrix is known.
    """

    mask: Tensor
    weight: Tensor | None = None
    kept_score: float | None = None
    output_error: float | None = None


def prune_layers(
    model: nn.Module,
    jobs: Sequence[LayerJob],
    method: Method,
    pattern: Pattern,
    statistics: Statistics,
    calibration: Sequence[ModelInputs],
) -> list[PrunedWeight]:
    """Prune the weights in place.

    Parameters
    ----------
    model : nn.Module
    jobs : sequence of LayerJob
        In the model's order.
    method, pattern
    statistics : mapping
        nn.Module -> LayerStatistics with norms; not used by methods that need a Gram matrix.
    calibration : sequence of model inputs
        For methods that need a Gram matrix: run once per block of the model, on the model as it is by then.
    """
    if method.needs == "gram":
        return _block_by_block(model, jobs, method, pattern, calibration)
    results = [_prune_one(job, method, pattern, statistics.get(job.target.module)) for job in jobs]
    for job, result in zip(jobs, results, strict=True):
        _write(job.weight, result)
    return results


def _block_by_block(
    model: nn.Module,
    jobs: Sequence[LayerJob],
    method: Method,
    pattern: Pattern,
    calibration: Sequence[ModelInputs],
) -> list[PrunedWeight]:
    by_name = {job.target.name: job for job in jobs}
    results: dict[str, PrunedWeight] = {}
    former: list[tuple[Tensor, Tensor]] = []
    try:
        for names in blocks(by_name).values():
            members = [by_name[name] for name in names]
            layers = [job.target.module for job in members]
            statistics = layer_statistics(model, calibration, layers, gram=torch.float32)
            for job in members:
                result = _prune_one(job, method, pattern, statistics[job.target.module])
                former.append((job.weight, job.weight.clone()))
                _write(job.weight, result)
                results[job.target.name] = result
    except BaseException:
        for weight, values in former:
            weight.copy_(values)
        raise
    return [results[job.target.name] for job in jobs]


def _prune_one(
    job: LayerJob, method: Method, pattern: Pattern, statistics: LayerStatistics | None
) -> PrunedWeight:
    weight = job.weight
    try:
        new, mask = method.prune_layer(weight, statistics, pattern, job.sparsity)
        plain = _is_plain(weight, new, mask)
    except ValueError as error:
        raise ValueError(
            f"prune(method={method.name!r}): {job.target.parameter}: {error}; nothing was pruned."
        ) from error
    kept = None if method.score is None else _kept_share(method.score.of, weight, statistics, mask)
    lost = None if statistics is None or statistics.gram is None else _lost(weight, new, statistics.gram)
    return PrunedWeight(mask, None if plain else new, kept, lost)


def _is_plain(weight: Tensor, new: Tensor, mask: Tensor) -> bool:
    """Check what a method returned; say whether it is just the old weight, masked."""
    if new.shape != weight.shape or mask.shape != weight.shape or mask.dtype != torch.bool:
        raise ValueError(
            f"prune_layer returned a weight of {tuple(new.shape)} and a {mask.dtype} mask of {tuple(mask.shape)}, "
            f"expected both of {tuple(weight.shape)}, and a bool mask"
        )
    if torch.equal(new, weight.masked_fill(~mask, 0)):
        return True
    if new.masked_fill(mask, 0).any() or not new.isfinite().all():
        raise ValueError(
            "prune_layer returned a weight that is not finite, or not zero where the mask is False"
        )
    return False


def _write(weight: Tensor, result: PrunedWeight) -> None:
    if result.weight is not None:
        weight.copy_(result.weight)
    weight.masked_fill_(~result.mask, 0)


def _kept_share(
    score_of: Callable[[Tensor, Tensor | None], Tensor],
    weight: Tensor,
    statistics: LayerStatistics | None,
    mask: Tensor,
) -> float | None:
    score = score_of(weight, statistics.norms if statistics else None)
    total = float(score.sum(dtype=torch.float64))
    if not math.isfinite(total):
        return None
    return float(score[mask].sum(dtype=torch.float64)) / total if total else 1.0


def _lost(weight: Tensor, new: Tensor, gram: Tensor) -> float | None:
    """Relative error of the layer's output, from the Gram matrix of its inputs; None if the output is not finite."""

    def squared(difference: Tensor) -> float:
        rows = difference.to(gram.dtype)
        return float(((rows @ gram) * rows).sum(dtype=torch.float64).clamp(min=0))

    exact = squared(weight)
    if not math.isfinite(exact):
        return None
    return (squared(weight - new) / exact) ** 0.5 if exact else 0.0

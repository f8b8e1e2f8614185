"""prune(model): method × pattern × sparsity, from a model to the same model with zeros."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from tamis.inspect import (
    LayerStatistics,
    LinearWeight,
    ModelInputs,
    Where,
    find_linear_weights,
    is_plain,
    layer_statistics,
)
from tamis.pruning.allocation import ALLOCATIONS
from tamis.pruning.arguments import Request, batches_of, check_initialised, check_model, resolve
from tamis.pruning.layerwise import LayerJob, PrunedWeight, prune_layers
from tamis.pruning.methods import Method
from tamis.pruning.patterns import Pattern
from tamis.pruning.report import PrunedLayer, PruneReport
from tamis.pruning.scores import Compare, Score


def prune(
    model: nn.Module,
    sparsity: float | None = None,
    pattern: str | Pattern = "unstructured",
    method: str | Method | Score | None = None,
    allocation: str = "uniform",
    *,
    calibration: Iterable[ModelInputs] | ModelInputs | None = None,
    where: Where | None = None,
    ignore: Iterable[str] = (),
    per_layer: Mapping[str, float] | None = None,
    compare: Compare | None = None,
    score: str | Score | None = None,
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
    pattern : str, Blocks or NOfM
        "unstructured"; blocks of rows x columns such as "4x1", "16x1", "1x4", "32x32"; or N:M such as "2:4".
    method : "magnitude", "wanda", Method or Score, optional
        Which weights go, and what becomes of those that stay. Default: "wanda" if there is a calibration, else
        "magnitude". A :class:`Score` ranks weights; a :class:`Method` may also change those that stay.
    allocation : "uniform" or "global"
        How sparse each layer becomes: all the same, or as one threshold over all chosen layers has it (for methods
        that rank weights).
    calibration : iterable of model inputs, optional
        For methods that look at the layers' inputs: a tensor, tuple or mapping per forward pass. One tensor or mapping is
        one pass.
    where : str, iterable of str or callable, optional
        Which layers: a pattern of names ("encoder.*"), several, or a predicate (name, module) -> bool. Default: all.
    ignore : iterable of str
        Patterns of the names of layers to leave alone, of those that ``where`` chooses.
    per_layer : mapping, optional
        Pattern of layer names -> sparsity, where it is not to be ``sparsity``. The first that fits counts.
    compare : "row", "layer" or "model", optional
        Which units compete, for methods that rank weights: those of one row (of blocks), of one layer, or of all
        chosen layers (the same as ``allocation="global"``). Default: what the score was published with ("layer" for
        magnitude, "row" for wanda). N:M compares its own groups.
    score : deprecated
        The former name of ``method``.

    Returns
    -------
    PruneReport
        Rows per layer, and the masks.

    Raises
    ------
    ValueError   if the arguments do not fit together, a weight is NaN, or no layer is chosen.
    TypeError    if an argument is of a kind that is not known.

    References
    ----------
    [1] Han, Pool, Tran, Dally. Learning both Weights and Connections for Efficient Neural Networks. 2015.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 32))
    >>> report = prune(model, sparsity=0.8, pattern="4x1", ignore=["2"])
    >>> round(report.rows[0].sparsity, 2), report.rows[1].left
    (0.8, 'left out by ignore=')
    """
    request = resolve(
        sparsity, pattern, method, allocation, calibration, where, ignore, per_layer, compare, score
    )
    check_initialised(model)
    targets = find_linear_weights(model)
    check_model(model, targets, request)
    batches = batches_of(calibration)
    statistics = _measure(model, targets, batches) if request.method.needs else {}
    left = {target.parameter: _why_left(target, request, statistics) for target in targets}
    pruned = [target for target in targets if left[target.parameter] is None]
    with torch.no_grad():
        jobs = _jobs(pruned, request, statistics)
        results = prune_layers(model, jobs, request.method, request.pattern, statistics, batches)
    done = {job.target.parameter: result for job, result in zip(jobs, results, strict=True)}
    rows = tuple(_row(target, done.get(target.parameter), left[target.parameter]) for target in targets)
    weights = sum(p.numel() for p in model.parameters())
    masks = {name: result.mask for name, result in done.items()}
    return PruneReport(str(request.pattern), request.method.name, rows, weights, masks)


def _measure(
    model: nn.Module, targets: Sequence[LinearWeight], batches: Sequence[ModelInputs]
) -> dict[nn.Module, LayerStatistics]:
    layers = [target.module for target in targets if isinstance(target.module, nn.Linear)]
    statistics = layer_statistics(model, batches, layers)
    if not statistics:
        raise ValueError(
            "prune(calibration=...): no nn.Linear ran on the calibration inputs; is the iterable empty?"
        )
    for target in targets:
        if target.module in statistics and statistics[target.module].squares.isnan().any():
            raise ValueError(
                f"prune(calibration=...): {target.name} receives NaN (NaN in the calibration inputs?); "
                "nothing was pruned."
            )
    return statistics


def _why_left(
    target: LinearWeight, request: Request, statistics: Mapping[nn.Module, LayerStatistics]
) -> str | None:
    left = request.why_left(target)
    if left is None and request.method.needs and target.module not in statistics:
        return "calibration never called it"
    return left


def _jobs(
    targets: Sequence[LinearWeight],
    request: Request,
    statistics: Mapping[nn.Module, LayerStatistics],
) -> list[LayerJob]:
    """Say how sparse each layer is to become."""
    own = {target.parameter: request.own_sparsity(target) for target in targets}
    rest = [target for target in targets if own[target.parameter] is None]
    shares = [request.sparsity] * len(rest)
    allocate, score = ALLOCATIONS[request.allocation], request.method.score
    if allocate is not None and score is not None:
        scores = (score.of(_weight(t), _norms(statistics.get(t.module))) for t in rest)
        shares = allocate(scores, request.pattern, request.sparsity)
    own |= {target.parameter: share for target, share in zip(rest, shares, strict=True)}
    return [LayerJob(target, _weight(target), own[target.parameter] or 0.0) for target in targets]


def _weight(target: LinearWeight) -> Tensor:
    if target.weight is None:
        raise RuntimeError(f"{target.name} has no weight to prune")
    return target.weight.detach()


def _norms(statistics: LayerStatistics | None) -> Tensor | None:
    return None if statistics is None else statistics.norms


def _row(target: LinearWeight, result: PrunedWeight | None, left: str | None) -> PrunedLayer:
    weight = target.weight
    unknown = weight is None or weight.is_meta or not is_plain(weight)
    zeros = None if weight is None or unknown else weight.numel() - int(weight.count_nonzero())
    kept, lost = (None, None) if result is None else (result.kept_score, result.output_error)
    return PrunedLayer(target.name, target.shape, zeros, kept, target.aliases, left, lost)

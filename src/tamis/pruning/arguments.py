"""What the caller of prune() asks for, checked before anything is measured or changed."""

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from numbers import Real

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from tamis.inspect import LinearWeight, ModelInputs, Where, checked_names, checked_where, chosen
from tamis.pruning.allocation import ALLOCATIONS
from tamis.pruning.methods import METHODS, Method, by_score
from tamis.pruning.patterns import Blocks, NOfM, Pattern, misfit, parse_pattern
from tamis.pruning.scores import Compare, Score


@dataclass(frozen=True)
class Request:
    """One pruning, with every default filled in.

    Attributes
    ----------
    method : Method
    pattern : Blocks or NOfM
    sparsity : float
        Of the layers that ``per_layer`` does not name.
    allocation : str
        A key of ``ALLOCATIONS``.
    where : str, callable or None
    ignore : tuple of str
    per_layer : dict
        Pattern of layer names -> sparsity; the first that fits a layer counts.
    """

    method: Method
    pattern: Pattern
    sparsity: float
    allocation: str = "uniform"
    where: Where | None = None
    ignore: tuple[str, ...] = ()
    per_layer: Mapping[str, float] = field(default_factory=dict)

    def own_sparsity(self, target: LinearWeight) -> float | None:
        """Sparsity that ``per_layer`` gives this layer, if it does."""
        return next((s for name, s in self.per_layer.items() if fnmatchcase(target.name, name)), None)

    def takes(self, target: LinearWeight) -> bool:
        return chosen(target.name, target.module, self.where) and not self._ignored(target)

    def why_left(self, target: LinearWeight) -> str | None:
        """Say why a layer is left alone, judging by the request and the layer; None if it is pruned."""
        if not chosen(target.name, target.module, self.where):
            return "not chosen by where="
        if self._ignored(target):
            return "left out by ignore="
        return target.obstacle or misfit(target.shape, self.pattern)

    def _ignored(self, target: LinearWeight) -> bool:
        return any(fnmatchcase(target.name, name) for name in self.ignore)


def resolve(
    sparsity: float | None,
    pattern: str | Pattern,
    method: str | Method | Score | None,
    allocation: str,
    calibration: Iterable[ModelInputs] | ModelInputs | None,
    where: Where | None,
    ignore: Iterable[str],
    per_layer: Mapping[str, float] | None,
    compare: Compare | None,
    score: str | Score | None,
) -> Request:
    """Check the arguments of :func:`tamis.prune` against each other; see there.

    Raises
    ------
    ValueError   if they do not fit together.
    TypeError    if one is of a kind that is not known.
    """
    cut = pattern if isinstance(pattern, Blocks | NOfM) else parse_pattern(pattern)
    if score is not None:
        method = _former_score(method, score)
    if method is None:
        method = "magnitude" if calibration is None else "wanda"
    chosen_method = _resolve_method(method, calibration)
    chosen_method, allocation = _resolve_competition(compare, allocation, cut, chosen_method)
    if not isinstance(per_layer, Mapping | None):
        raise TypeError(
            f"prune(per_layer=...): got {type(per_layer).__name__}, expected a mapping of name patterns to sparsities."
        )
    per_layer = dict(per_layer or {})
    checked_names("prune(per_layer=...)", per_layer)
    for name, own in per_layer.items():
        if own is None:
            raise TypeError(f"prune(per_layer={{{name!r}: None}}): expected a number between 0 and 1.")
        _resolve_sparsity(own, cut, f"per_layer={{{name!r}: {own!r}}}")
    fraction = _resolve_sparsity(sparsity, cut, f"sparsity={sparsity!r}")
    names = checked_names("prune(ignore=...)", () if ignore is None else ignore)
    where = checked_where("prune", where)
    return Request(chosen_method, cut, fraction, allocation, where, names, per_layer)


def batches_of(calibration: Iterable[ModelInputs] | ModelInputs | None) -> list[ModelInputs]:
    """List the model inputs of a calibration; one tensor or mapping is one of them.

    Raises
    ------
    TypeError   if it is no iterable of model inputs.
    """
    if calibration is None:
        return []
    if isinstance(calibration, Tensor | Mapping):
        return [calibration]
    if isinstance(calibration, str) or not isinstance(calibration, Iterable):
        raise TypeError(
            f"prune(calibration=...): got {type(calibration).__name__}, expected an iterable of model inputs: a tensor, tuple or "
            "mapping for each call of the model."
        )
    return list(calibration)


def check_initialised(model: nn.Module) -> None:
    """Raise TypeError if this is no module, ValueError if one of its parameters has no shape yet."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"prune(model): got {type(model).__name__}, expected an nn.Module.")
    for name, parameter in model.named_parameters():
        if is_lazy(parameter):
            raise ValueError(
                f"prune(model): {name} is not initialised yet; run the model once on example inputs first."
            )


def check_model(model: nn.Module, targets: list[LinearWeight], request: Request) -> None:
    """Check that the model can be pruned, and that every name in the request is one of its layers.

    Raises
    ------
    ValueError   if not.
    """
    if not targets:
        raise ValueError(
            f"prune(model): {type(model).__name__} has no nn.Linear and no nn.MultiheadAttention."
        )
    some = ", ".join(repr(target.name) for target in targets[:3])
    layers = f"the model's {len(targets)} layers ({some}, ...)"
    for what, names in (("ignore", request.ignore), ("per_layer", request.per_layer)):
        for name in names:
            if not any(fnmatchcase(target.name, name) for target in targets):
                raise ValueError(f"prune({what}=...): {name!r} names none of {layers}.")
    if not any(request.takes(target) for target in targets):
        raise ValueError(
            f"prune(where={request.where!r}, ignore={request.ignore!r}) chooses none of {layers}."
        )
    for target in targets:
        if request.why_left(target) is None and target.weight is not None and target.weight.isnan().any():
            raise ValueError(
                f"prune(model): {target.parameter} has NaN weights; nothing was pruned. Repair the layer first."
            )


def _former_score(method: str | Method | Score | None, score: str | Score) -> str | Score:
    warnings.warn(
        "tamis.prune(score=...) is called method=... now; score= goes with release 0.2.",
        DeprecationWarning,
        stacklevel=4,  # resolve, prune, the caller
    )
    if method is not None:
        raise ValueError("prune(method=..., score=...): score= is the former name of method=; give one.")
    return score


def _resolve_method(method: str | Method | Score, calibration: object) -> Method:
    if isinstance(method, str):
        if method not in METHODS:
            raise ValueError(
                f"prune(method={method!r}): expected one of {sorted(METHODS)}, a Method or a Score."
            )
        method = METHODS[method]
    elif isinstance(method, Score):
        method = by_score(method)
    elif not isinstance(method, Method):
        raise TypeError(
            f"prune(method=...): got {type(method).__name__}, expected one of {sorted(METHODS)}, a Method or a Score; "
            "a function (weight, input norms) -> score becomes one by Score(name, function)."
        )
    if method.needs not in (None, "norms", "gram"):
        raise ValueError(
            f"prune(method={method.name!r}): it needs {method.needs!r}; expected None, 'norms' or 'gram'."
        )
    if method.needs and calibration is None:
        raise ValueError(f"prune(method={method.name!r}) needs calibration=, an iterable of model inputs.")
    if not method.needs and calibration is not None:
        raise ValueError(f"prune(method={method.name!r}) looks at weights only: leave calibration= out.")
    return method


def _resolve_competition(
    compare: Compare | None, allocation: str, pattern: Pattern, method: Method
) -> tuple[Method, str]:
    """Settle which units compete: within a layer that is the method's business, across layers the allocation's."""
    if isinstance(pattern, NOfM) and (compare is not None or allocation != "uniform"):
        raise ValueError(
            f"prune(pattern='{pattern}', compare={compare!r}, allocation={allocation!r}): N:M compares its own groups; "
            "leave both out."
        )
    for what, units in (("compare", compare), ("method", method.score and method.score.compare)):
        if units not in (None, "row", "layer", "model"):
            of = "" if what == "compare" else "with a Score of compare="
            raise ValueError(f"prune({what}={of}{units!r}): expected 'row', 'layer' or 'model'.")
    if not isinstance(allocation, str) or allocation not in ALLOCATIONS:
        raise ValueError(f"prune(allocation={allocation!r}): expected one of {sorted(ALLOCATIONS)}.")
    if method.score is None:
        if compare is not None or ALLOCATIONS[allocation] is not None:
            raise ValueError(
                f"prune(method={method.name!r}, compare={compare!r}, allocation={allocation!r}): this method ranks no "
                "weights, so nothing could be compared; leave both out."
            )
        return method, allocation
    if allocation == "uniform" and (compare or method.score.compare) == "model":
        allocation = "global"
    if ALLOCATIONS[allocation] is not None:
        compare = "layer"  # so that a layer keeps the very units that the common threshold counted
    return by_score(method.score, compare) if compare else method, allocation


def _resolve_sparsity(sparsity: float | None, pattern: Pattern, said: str) -> float:
    if sparsity is not None and (isinstance(sparsity, bool) or not isinstance(sparsity, Real)):
        cure = "; for a sparsity by layer see per_layer=" if isinstance(sparsity, Mapping) else ""
        raise TypeError(
            f"prune({said}): got {type(sparsity).__name__}, expected a number between 0 and 1{cure}."
        )
    if isinstance(pattern, NOfM):
        if sparsity is not None and not math.isclose(sparsity, pattern.sparsity, abs_tol=1e-6):
            raise ValueError(
                f"prune({said}, pattern='{pattern}'): {pattern} always has sparsity "
                f"{pattern.sparsity:g}; leave sparsity out, or choose another pattern."
            )
        return pattern.sparsity
    if sparsity is None:
        raise ValueError(f"prune(pattern='{pattern}') needs sparsity=, for example sparsity=0.8.")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"prune({said}): expected a fraction of zeros between 0 and 1.")
    return float(sparsity)

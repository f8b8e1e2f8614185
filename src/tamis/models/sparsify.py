"""sparsify(model): dense module -> sparse module, layer by layer, where it pays."""

import dataclasses
import math
from collections import deque
from collections.abc import Callable
from numbers import Real
from typing import Literal, get_args

import torch
from torch import nn

from tamis.inspect import (
    LayerUse,
    LinearWeight,
    ModelInputs,
    Where,
    checked_where,
    chosen,
    find_linear_weights,
    is_plain,
    obstacle,
    return_free_memory,
    trace,
    unusable,
)
from tamis.models.choice import Contender, Times, best_contender
from tamis.models.precision import Compute, Precision, relative_error
from tamis.models.replacement import Replacements
from tamis.models.report import SparsifiedLayer, SparsifyReport
from tamis.nn import SparseLinear

Replace = Literal["where_faster", "everywhere"]


@torch.inference_mode(False)  # tensors made in inference mode could never be trained, nor packed just once
def sparsify(
    model: nn.Module,
    example_inputs: ModelInputs,
    *,
    times: Times = "measured",
    replace: Replace = "where_faster",
    where: Where | None = None,
    compute: Compute = "float32",
    max_error: float | None = None,
    budget_s: float = 0.2,
    progress: Callable[[int, int, str], None] | None = None,
) -> SparsifyReport:
    """Replace the linear layers of a pruned model by :class:`SparseLinear` where that is faster, in place.

    One forward pass shows how many tokens reach each layer; for that size, the dense layer is compared with every
    sparse format that fits its zeros. A layer stays dense where dense is faster, and where replacing it could change
    what the model does: its weight is read past its forward (as by torch's fused attention), is shared, or is
    computed; it is a subclass or has hooks. The report gives the reason for each. If anything raises, the model is
    unchanged. Layers are replaced one after the other, and the memory of a dense one is free as soon as its place is
    taken, unless something else holds it.

    Parameters
    ----------
    model : nn.Module
        In float32, on the CPU; its zeros are taken as they are, see :func:`tamis.prune`.
    example_inputs : Tensor, tuple or mapping
        Arguments for one forward pass, of the size that the model will meet.
    times : "measured" or "predicted"
        Time both on this machine, or trust the cost model, which is quick and repeatable.
    replace : "where_faster" or "everywhere"
        "everywhere" takes the best sparse form of each layer even where dense is faster.
    where : str, iterable of str or callable, optional
        Which layers to look at: a pattern of names ("encoder.*"), several, or a predicate (name, module) -> bool.
    compute : "float32", "int8" or "fastest"
        "int8" computes layers in 8 bits (see :func:`tamis.plan_spmm`) where ``max_error`` holds, "fastest" where that is the
        fastest way besides. The zeros are best in groups of four along a row: ``prune(pattern="1x4")``.
    max_error : float, optional
        How far a layer's output in 8 bits may be from the float32 layer's on ``example_inputs``: Frobenius norm of the difference
        over that of the output. By default 1.1 times what torch's dynamic int8 makes of the same layer.
    budget_s : float
        Seconds to measure per layer.
    progress : callable, optional
        Called with (layers done, layers in all, name) before each layer.

    Returns
    -------
    SparsifyReport
        A row per layer; printing it shows a table.

    Raises
    ------
    TypeError, ValueError   if the model cannot be changed in place or has no linear layer.
    RuntimeError            if the model no longer runs on ``example_inputs`` afterwards; it is restored first.

    Examples
    --------
    >>> model = torch.nn.Sequential(torch.nn.Linear(64, 64))
    >>> _ = tamis.prune(model, sparsity=0.9)
    >>> x = torch.randn(8, 64)
    >>> before = model(x)
    >>> report = tamis.sparsify(model, example_inputs=(x,), replace="everywhere")
    >>> torch.allclose(model(x), before, atol=1e-5), report.rows[0].replaced
    (True, True)
    """
    _check_arguments(model, times, replace, budget_s, progress)
    precision = _checked_precision(compute, max_error)
    where = checked_where("sparsify", where)
    queue = _candidates(model, where)
    count = len(queue)
    free = [target.module for target, reason in queue if reason is None]
    uses = trace(model, example_inputs, [layer for layer in free if isinstance(layer, nn.Linear)])
    free.clear()  # from here on the model alone holds its layers, and a dense weight goes with the layer it was in

    rows: list[SparsifiedLayer] = []
    with Replacements(model) as replaced:
        while queue:
            target, reason = queue.popleft()
            if progress:
                progress(len(rows), count, target.name)
            use = uses.pop(target.module, LayerUse())
            row, sparse = _judge(target, reason, use, times, replace, budget_s, precision)
            rows.append(row)
            if sparse is not None and isinstance(target.module, nn.Linear):
                replaced.put(target.name, target.module, sparse, calls=len(use.tokens))
        del target
        missed = replaced.put_back_missed(example_inputs)
    return_free_memory()
    return SparsifyReport(
        tuple(_put_back(row, missed[row.name]) if row.name in missed else row for row in rows), times
    )


def _candidates(model: nn.Module, where: Where | None) -> deque[tuple[LinearWeight, str | None]]:
    """List the linear layers, each with the reason why it must stay dense, if there is one."""
    targets = find_linear_weights(model)
    if not targets:
        raise ValueError(f"sparsify(model): {type(model).__name__} has no nn.Linear that is still dense.")
    if not any(chosen(target.name, target.module, where) for target in targets):
        some = ", ".join(repr(target.name) for target in targets[:3])
        raise ValueError(
            f"sparsify(where={where!r}) chooses none of the model's {len(targets)} layers ({some}, ...)."
        )
    return deque((target, obstacle(target, model, where)) for target in targets)


def _check_arguments(
    model: nn.Module, times: object, replace: object, budget_s: object, progress: object
) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"sparsify(model): got {type(model).__name__}, expected an nn.Module.")
    if not isinstance(budget_s, Real) or not 0 < float(budget_s) < math.inf:
        raise ValueError(f"sparsify(budget_s={budget_s!r}): expected seconds, more than 0.")
    if progress is not None and not callable(progress):
        raise TypeError(
            f"sparsify(progress=...): got {type(progress).__name__}, expected a callable (done, layers, name)."
        )
    if times not in ("measured", "predicted") or replace not in ("where_faster", "everywhere"):
        raise ValueError(
            f"sparsify(times={times!r}, replace={replace!r}): expected times 'measured' or 'predicted', "
            "replace 'where_faster' or 'everywhere'."
        )
    if isinstance(model, nn.Linear):
        raise ValueError(
            "sparsify(model): the model is itself an nn.Linear, which cannot be replaced in place; "
            "use tamis.nn.SparseLinear.from_dense(model), or wrap it: nn.Sequential(model)."
        )
    if any(hasattr(module, "_orig_mod") or module._compiled_call_impl for module in model.modules()):
        raise TypeError("sparsify(model): the model is compiled; sparsify first, then torch.compile.")


def _checked_precision(compute: Compute, max_error: float | None) -> Precision:
    if compute not in get_args(Compute):
        raise ValueError(f"sparsify(compute={compute!r}): expected 'float32', 'int8' or 'fastest'.")
    if max_error is not None and not (isinstance(max_error, Real) and max_error >= 0):
        raise ValueError(f"sparsify(max_error={max_error!r}): expected a number, 0 or more.")
    return Precision(compute, max_error)


def _judge(
    target: LinearWeight,
    reason: str | None,
    use: LayerUse,
    times: Times,
    replace: Replace,
    budget_s: float,
    precision: Precision,
) -> tuple[SparsifiedLayer, SparseLinear | None]:
    """Make one layer's row, and its sparse form if that shall take its place; nothing is changed yet."""
    row, layer = _first_row(target), target.module
    if reason is not None or not isinstance(layer, nn.Linear):
        return dataclasses.replace(row, reason=reason or ""), None
    row = dataclasses.replace(row, tokens=tuple(use.tokens))
    if reason := unusable(target, use):
        return dataclasses.replace(row, reason=reason), None
    try:
        best = best_contender(layer, use, times, budget_s, precision)
    except NotImplementedError as refusal:
        reason = "; ".join(line.strip() for line in str(refusal).splitlines()[1:]) or str(refusal)
        return dataclasses.replace(row, reason=reason), None
    row = dataclasses.replace(
        row,
        replaced=best.pays or replace == "everywhere",
        reason=_speed(best, times),
        format=best.format,
        kernel=best.layer.plan.kernel,
        dense_ms=best.dense_ms,
        sparse_ms=best.sparse_ms,
        error=relative_error(layer, best.layer, use.sample),
        sparse_bytes=best.layer.nbytes,
    )
    return row, best.layer if row.replaced else None


def _first_row(target: LinearWeight) -> SparsifiedLayer:
    """Start the report's row with what is known without running anything."""
    weight = target.weight
    if weight is None or weight.is_meta or not is_plain(weight):
        return SparsifiedLayer(target.name, target.shape, 0.0, replaced=False, reason="")
    zeros = 1 - float(weight.count_nonzero()) / weight.numel() if weight.numel() else 0.0
    return SparsifiedLayer(
        target.name, target.shape, zeros, replaced=False, reason="", dense_bytes=weight.nbytes
    )


def _speed(best: Contender, times: Times) -> str:
    speed = f"{best.dense_ms / best.sparse_ms:.2f}x as fast ({times})"
    if not best.pays:
        speed = f"dense is {best.sparse_ms / best.dense_ms:.2f}x as fast ({times})"
    return f"{speed}; {best.note}" if best.note else speed


def _put_back(row: SparsifiedLayer, calls: int) -> SparsifiedLayer:
    reason = (
        f"called {calls} times once sparse, {len(row.tokens)} times before: the model also reaches it by another way than its "
        "attributes, or calls only what is an nn.Linear"
    )
    return dataclasses.replace(row, replaced=False, reason=reason, sparse_bytes=0)

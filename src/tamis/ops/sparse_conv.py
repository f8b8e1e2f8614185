"""Sparse convolution over a kernel map: the kernels, the choice between them, the operator and its gradients."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from tamis.kernels.cpu import sparse_conv as cpu
from tamis.kernels.cpu.native import ELEMENTS, native
from tamis.kernels.reference import sparse_conv as reference
from tamis.ops.kernel_map import KernelMap, block_cuts, transposed_lists
from tamis.ops.sparse_conv_cost import CPU_PRICES, Prices, predict

Dataflow = Literal["output_stationary", "weight_stationary", "hybrid", "blocked"]
DATAFLOWS: tuple[Dataflow, ...] = ("blocked", "output_stationary", "weight_stationary", "hybrid")


def sparse_conv(
    feats: Tensor,
    weight: Tensor,
    kernel_map: KernelMap,
    *,
    bias: Tensor | None = None,
    scale: Tensor | None = None,
    residual: Tensor | None = None,
    relu: bool = False,
    groups: int = 1,
    dataflow: Dataflow | None = None,
) -> Tensor:
    """Sparse convolution, ``Y[j] = act(scale * sum_k X[map[j, k]] @ W[k] + bias + residual[j])``.

    Rows are those of the coordinates that the map was made from. Half-precision features are summed in float32. The order of
    summation of an output depends on nothing but its own neighbours: same bits on every run, for every thread count,
    and whatever else is in the batch. Differentiable in ``feats``, ``weight``, ``bias`` and ``residual``.

    Parameters
    ----------
    feats : Tensor, shape (kernel_map.in_rows, c_in)
    weight : Tensor, shape (kernel_volume, c_in // groups, c_out)
        Offsets in canonical order, x outermost and z innermost; dtype of ``feats``.
    kernel_map : KernelMap
    bias, scale : Tensor, shape (c_out,), optional
        ``scale`` is for folded batch norm at inference and has no gradient.
    residual : Tensor, shape (out_rows, c_out), optional
    relu : bool
    groups : int
        Channel groups; c_in = c_out = groups is a depthwise convolution.
    dataflow : optional
        One of DATAFLOWS; by default the cost model's choice.

    Returns
    -------
    Tensor, shape (kernel_map.out_rows, c_out), dtype of ``feats``.
    """
    _check(feats, weight, kernel_map, bias, scale, residual, groups)
    if dataflow is not None and dataflow not in DATAFLOWS:
        raise ValueError(f"sparse_conv(dataflow={dataflow!r}): expected one of {', '.join(DATAFLOWS)}.")
    if kernel_map.in_order is not None:
        feats = feats[kernel_map.in_order]
    if residual is not None and kernel_map.out_order is not None:
        residual = residual[kernel_map.out_order]
    out = torch.ops.tamis.sparse_conv(
        feats,
        weight,
        bias,
        scale,
        residual,
        kernel_map.first,
        kernel_map.second,
        kernel_map.lists,
        kernel_map.cuts,
        kernel_map.out_rows,
        groups,
        relu,
        dataflow if dataflow is not None else choose(feats.device, feats.dtype),
        dense_offsets(kernel_map, feats.shape[1], weight.shape[2]) if dataflow == "hybrid" else [],
    )
    return kernel_map.in_callers_order(out)


def choose(device: torch.device, dtype: torch.dtype) -> Dataflow:
    """The dataflow that runs when the caller names none: the one with a fast kernel for this device and dtype."""
    if device.type == "cpu" and dtype in ELEMENTS:
        return "blocked"
    raise NotImplementedError(
        f"sparse_conv(feats) of {dtype} on {device}: no fast kernel. blocked: CPU only, "
        f"{', '.join(str(known) for known in ELEMENTS)}. Name dataflow={DATAFLOWS[1:]} to run a reference implementation."
    )


def dense_offsets(kernel_map: KernelMap, c_in: int, c_out: int) -> list[int]:
    """Offsets that the hybrid dataflow runs output-stationary: the cheapest split by L1 class."""
    return predict(kernel_map, c_in, c_out, _prices()).dense_offsets


def explain(kernel_map: KernelMap, c_in: int, c_out: int, dataflow: Dataflow | None) -> str:
    """One line on a layer: pairs, density per L1 class, what runs, and the predicted time of every dataflow."""
    shares = " ".join(f"{share:.2f}" for share in kernel_map.density_by_l1().values())
    found = predict(kernel_map, c_in, c_out, _prices(), torch.get_num_threads()).milliseconds
    runs = dataflow or "blocked"
    why = "as asked" if dataflow else "the only fast kernel here, and the cheapest by prediction"
    if not dataflow and min(found, key=lambda name: found[name]) != runs:
        why = "the only fast kernel here"
    times = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    return f"{kernel_map.pairs} pairs, density by L1 {shares}; runs {runs} ({why}); predicted ms: {times}"


def _prices() -> Prices:
    return CPU_PRICES.get(native().isa(), CPU_PRICES["baseline"])


def _check(
    feats: Tensor,
    weight: Tensor,
    kernel_map: KernelMap,
    bias: Tensor | None,
    scale: Tensor | None,
    residual: Tensor | None,
    groups: int,
) -> None:
    call = "sparse_conv(feats, weight, kernel_map)"
    if feats.ndim != 2 or len(feats) != kernel_map.in_rows:
        raise ValueError(
            f"{call}: the map has {kernel_map.in_rows} input rows, so feats needs shape ({kernel_map.in_rows}, c_in), "
            f"but has {tuple(feats.shape)}. Was the map made for another set of voxels?"
        )
    if (
        weight.ndim != 3
        or len(weight) != kernel_map.kernel_volume
        or weight.shape[1] * groups != feats.shape[1]
    ):
        raise ValueError(
            f"{call}: with {kernel_map.kernel_volume} offsets, {feats.shape[1]} input channels and groups={groups}, "
            f"weight needs shape ({kernel_map.kernel_volume}, {feats.shape[1] // groups}, c_out), but has "
            f"{tuple(weight.shape)}. The order is offset, input channel, output channel."
        )
    c_out = weight.shape[2]
    if feats.shape[1] % groups or c_out % groups:
        raise ValueError(f"{call}: groups={groups} must divide c_in={feats.shape[1]} and c_out={c_out}.")
    for name, tensor, shape in (
        ("bias", bias, (c_out,)),
        ("scale", scale, (c_out,)),
        ("residual", residual, (kernel_map.out_rows, c_out)),
    ):
        if tensor is not None and tuple(tensor.shape) != shape:
            raise ValueError(f"{call}: {name} needs shape {shape}, but has {tuple(tensor.shape)}.")
    for name, tensor in (("weight", weight), ("residual", residual)):
        if tensor is not None and (tensor.dtype != feats.dtype or tensor.device != feats.device):
            raise ValueError(
                f"{call}: feats is {feats.dtype} on {feats.device}, but {name} is {tensor.dtype} on {tensor.device}. "
                f"Convert one of them with .to(...)."
            )


LIBRARY = torch.library.Library("tamis", "FRAGMENT")
LIBRARY.define(
    "sparse_conv(Tensor feats, Tensor weight, Tensor? bias, Tensor? scale, Tensor? residual, Tensor first, "
    "Tensor second, Tensor lists, Tensor cuts, int out_rows, int groups, bool relu, str dataflow, "
    "int[] dense_offsets) -> Tensor"
)
LIBRARY.define(
    "sparse_conv_input_gradient(Tensor grad, Tensor weight, Tensor first, Tensor second, Tensor lists, int in_rows, "
    "int groups, str dataflow, int[] dense_offsets) -> Tensor"
)
LIBRARY.define(
    "sparse_conv_weight_gradient(Tensor feats, Tensor grad, Tensor first, Tensor second, Tensor lists, Tensor cuts, "
    "int out_rows, int groups, str dataflow) -> Tensor"
)


def _forward(
    feats: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    scale: Tensor | None,
    residual: Tensor | None,
    first: Tensor,
    second: Tensor,
    lists: Tensor,
    cuts: Tensor,
    out_rows: int,
    groups: int,
    relu: bool,
    dataflow: str,
    dense: list[int],
) -> Tensor:
    if dataflow == "blocked":
        return cpu.blocked(
            feats, weight, bias, scale, residual, first, second, lists, cuts, out_rows, groups, relu
        )

    def one_group(x: Tensor, w: Tensor) -> Tensor:
        if dataflow == "output_stationary":
            return reference.output_stationary(x, w, first, second, lists, out_rows)
        if dataflow == "hybrid":
            return reference.hybrid(x, w, first, second, lists, out_rows, dense)
        return reference.weight_stationary(x, w, first, second, lists, out_rows)

    parts = zip(feats.chunk(groups, 1), weight.chunk(groups, 2), strict=True)
    out = torch.cat([one_group(x, w) for x, w in parts], 1)
    return _epilogue(out, bias, scale, residual, relu)


def _epilogue(
    out: Tensor, bias: Tensor | None, scale: Tensor | None, residual: Tensor | None, relu: bool
) -> Tensor:
    if scale is not None:
        out = out * scale.to(out.dtype)
    if bias is not None:
        out = out + bias.to(out.dtype)
    if residual is not None:
        out = out + residual
    return out.relu() if relu else out


def _weight_gradient(
    feats: Tensor,
    grad: Tensor,
    first: Tensor,
    second: Tensor,
    lists: Tensor,
    cuts: Tensor,
    out_rows: int,
    groups: int,
    dataflow: str,
) -> Tensor:
    if dataflow == "blocked":
        return cpu.weight_gradient(feats, grad, first, second, lists, cuts, out_rows, groups)
    parts = zip(feats.chunk(groups, 1), grad.chunk(groups, 1), strict=True)
    return torch.cat([reference.weight_gradient(x, g, first, second, lists, out_rows) for x, g in parts], 2)


def _input_gradient(
    grad: Tensor,
    weight: Tensor,
    first: Tensor,
    second: Tensor,
    lists: Tensor,
    in_rows: int,
    groups: int,
    dataflow: str,
    dense: list[int],
) -> Tensor:
    """dX = the transposed map with transposed weights."""
    volume, c_in, c_out = weight.shape
    grouped = weight.reshape(volume, c_in, groups, c_out // groups)
    turned = grouped.permute(0, 3, 2, 1).reshape(volume, c_out // groups, groups * c_in).contiguous()
    back = transposed_lists(lists)
    cuts = block_cuts(first, second, back, in_rows)
    return _forward(
        grad, turned, None, None, None, first, second, back, cuts, in_rows, groups, False, dataflow, dense
    )


LIBRARY.impl("sparse_conv", _forward, "CompositeExplicitAutograd")
LIBRARY.impl("sparse_conv_input_gradient", _input_gradient, "CompositeExplicitAutograd")
LIBRARY.impl("sparse_conv_weight_gradient", _weight_gradient, "CompositeExplicitAutograd")


@torch.library.register_fake("tamis::sparse_conv", lib=LIBRARY)
def _(feats: Tensor, weight: Tensor, *rest: Any) -> Tensor:
    return feats.new_empty(rest[7], weight.shape[2])


@torch.library.register_fake("tamis::sparse_conv_input_gradient", lib=LIBRARY)
def _(grad: Tensor, weight: Tensor, *rest: Any) -> Tensor:
    return grad.new_empty(rest[3], weight.shape[1] * rest[4])


@torch.library.register_fake("tamis::sparse_conv_weight_gradient", lib=LIBRARY)
def _(
    feats: Tensor, grad: Tensor, first: Tensor, second: Tensor, lists: Tensor, cuts: Tensor, *rest: Any
) -> Tensor:
    return feats.new_empty(lists.shape[0], feats.shape[1] // rest[1], grad.shape[1])


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    feats, weight, bias, scale, residual, first, second, lists, cuts, rows, groups, relu, dataflow, dense = (
        inputs
    )
    ctx.save_for_backward(feats, weight, scale, first, second, lists, cuts, output if relu else None)
    ctx.plain = (rows, groups, dataflow, dense)
    ctx.wants_bias, ctx.wants_residual = bias is not None, residual is not None


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    feats, weight, scale, first, second, lists, cuts, output = ctx.saved_tensors
    rows, groups, dataflow, dense = ctx.plain
    if output is not None:
        grad = grad * (output > 0)
    d_residual = grad if ctx.wants_residual else None
    d_bias = grad.sum(0) if ctx.wants_bias else None
    if scale is not None:
        grad = grad * scale
    grad = grad.contiguous()
    d_feats = d_weight = None
    if ctx.needs_input_grad[0]:
        d_feats = torch.ops.tamis.sparse_conv_input_gradient(
            grad, weight, first, second, lists, len(feats), groups, dataflow, dense
        )
    if ctx.needs_input_grad[1]:
        d_weight = torch.ops.tamis.sparse_conv_weight_gradient(
            feats, grad, first, second, lists, cuts, rows, groups, dataflow
        ).to(weight.dtype)
    return d_feats, d_weight, d_bias, None, d_residual, *([None] * 9)


torch.library.register_autograd("tamis::sparse_conv", _backward, setup_context=_save, lib=LIBRARY)

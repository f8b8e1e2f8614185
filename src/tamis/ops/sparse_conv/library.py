"""The operators of sparse convolution as torch sees them: definition, kernels, shapes, gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tamis.kernels.cpu import sparse_conv as cpu
from tamis.kernels.reference import sparse_conv as reference
from tamis.ops.kernel_map import block_cuts, transposed_lists

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

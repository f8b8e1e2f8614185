"""``torch.ops.tamis.sparse_conv`` and its gradients: what eager mode, torch.compile and torch.export all see.

They take the parts of a :class:`PairLists`, so no tracer ever meets a kernel map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tamis.kernels import Epilogue, PairLists, reference
from tamis.kernels.cpu import block_cuts
from tamis.ops.choice import Kernel
from tamis.ops.observed import observed, transformed
from tamis.ops.sparse_conv.cost import ConvProblem
from tamis.ops.sparse_conv.kernels import BY_NAME, WEIGHT_GRADIENTS

library = torch.library.Library("tamis", "FRAGMENT")
# packed, sizes: the parts of the record that the forward kernel's packer made, in all three.
library.define(
    "sparse_conv(Tensor feats, Tensor weight, Tensor? bias, Tensor? scale, Tensor? residual, Tensor[] packed, SymInt[] sizes, "
    "int groups, bool relu, str kernel) -> Tensor"
)
library.define(
    "sparse_conv_input_gradient(Tensor grad, Tensor weight, Tensor[] packed, SymInt[] sizes, SymInt in_rows, int groups, "
    "str kernel) -> Tensor"
)
library.define(
    "sparse_conv_weight_gradient(Tensor feats, Tensor grad, Tensor[] packed, SymInt[] sizes, int groups, "
    "str kernel) -> Tensor"
)


def run(
    kernel: Kernel[ConvProblem],
    pairs: PairLists,
    feats: Tensor,
    weight: Tensor,
    epilogue: Epilogue,
    groups: int,
) -> Tensor:
    """Convolve checked operands, shape (pairs.rows, c_out).

    Calls the operator; or, where no gradient is wanted and nothing observes it, the kernel, which saves the dispatch. Under
    forward-mode AD and the transforms of torch.func (jvp, vmap, jacrev ...) the convolution is the reference, made of torch's own
    operators.
    """
    bias, scale, residual, relu = epilogue
    wants_grad = torch.is_grad_enabled() and (
        feats.requires_grad
        or weight.requires_grad
        or (bias is not None and bias.requires_grad)
        or (scale is not None and scale.requires_grad)
        or (residual is not None and residual.requires_grad)
    )
    if wants_grad or observed(feats, weight, bias, scale, residual):
        if transformed():
            return reference.sparse_conv_output_stationary(pairs, feats, weight, epilogue, groups)
        if wants_grad and scale is not None and scale.requires_grad:  # the operator has no gradient of it
            return reference.finish(run(kernel, pairs, feats, weight, Epilogue(), groups), epilogue)
        result: Tensor = torch.ops.tamis.sparse_conv.default(
            feats, weight, bias, scale, residual, pairs.tensors, pairs.sizes, groups, relu, kernel.name
        )
        return result
    out: Tensor = kernel.call(pairs, feats, weight, epilogue, groups)
    return out


def _forward(
    feats: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    scale: Tensor | None,
    residual: Tensor | None,
    packed: Sequence[Tensor],
    sizes: Sequence[int],
    groups: int,
    relu: bool,
    kernel: str,
) -> Tensor:
    pairs = PairLists.from_tensors(packed, sizes)
    out: Tensor = BY_NAME[kernel].call(pairs, feats, weight, Epilogue(bias, scale, residual, relu), groups)
    return out


def _input_gradient(
    grad: Tensor,
    weight: Tensor,
    packed: Sequence[Tensor],
    sizes: Sequence[int],
    in_rows: int,
    groups: int,
    kernel: str,
) -> Tensor:
    """dX = the transposed map with transposed weights."""
    volume, c_in, c_out = weight.shape
    grouped = weight.reshape(volume, c_in, groups, c_out // groups)
    turned = grouped.permute(0, 3, 2, 1).reshape(volume, c_out // groups, groups * c_in).contiguous()
    forward = PairLists.from_tensors(packed, sizes)
    back = forward.transposed(in_rows)
    if forward.cuts.shape[1]:  # cut for a kernel that works in blocks of outputs, which are now the inputs
        back = replace(back, cuts=block_cuts(back))
    out: Tensor = BY_NAME[kernel].call(back, grad, turned, Epilogue(), groups)
    return out


def _weight_gradient(
    feats: Tensor, grad: Tensor, packed: Sequence[Tensor], sizes: Sequence[int], groups: int, kernel: str
) -> Tensor:
    pairs = PairLists.from_tensors(packed, sizes)
    return WEIGHT_GRADIENTS[BY_NAME[kernel].backend](pairs, feats, grad, groups)


def _forward_fake(
    feats: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    scale: Tensor | None,
    residual: Tensor | None,
    packed: Sequence[Tensor],
    sizes: Sequence[int],
    groups: int,
    relu: bool,
    kernel: str,
) -> Tensor:
    return feats.new_empty(sizes[0], weight.shape[2])


def _input_gradient_fake(
    grad: Tensor,
    weight: Tensor,
    packed: Sequence[Tensor],
    sizes: Sequence[int],
    in_rows: int,
    groups: int,
    kernel: str,
) -> Tensor:
    return grad.new_empty(in_rows, weight.shape[1] * groups)


def _weight_gradient_fake(
    feats: Tensor, grad: Tensor, packed: Sequence[Tensor], sizes: Sequence[int], groups: int, kernel: str
) -> Tensor:
    dtype = torch.float64 if feats.dtype == torch.float64 else torch.float32  # of the sums
    volume = PairLists.from_tensors(packed, sizes).lists.shape[0]
    return feats.new_empty(volume, feats.shape[1] // groups, grad.shape[1], dtype=dtype)


def _keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    feats, weight, bias, scale, residual, packed, sizes, groups, relu, kernel = inputs
    ctx.save_for_backward(feats, weight, scale, output if relu else None, *packed)
    ctx.plain = (sizes, groups, kernel)
    ctx.wants_bias, ctx.wants_residual = bias is not None, residual is not None


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    if ctx.needs_input_grad[3]:
        raise NotImplementedError("tamis::sparse_conv has no gradient of scale; multiply afterwards.")
    feats, weight, scale, output, *packed = ctx.saved_tensors
    sizes, groups, kernel = ctx.plain
    if output is not None:
        grad = grad.masked_fill(output <= 0, 0)
    d_residual = grad if ctx.wants_residual else None
    d_bias = grad.sum(0) if ctx.wants_bias else None
    if scale is not None:
        grad = grad * scale
    grad = grad.contiguous()
    d_feats = d_weight = None
    if ctx.needs_input_grad[0]:
        d_feats = torch.ops.tamis.sparse_conv_input_gradient(
            grad, weight, packed, sizes, len(feats), groups, kernel
        )
    if ctx.needs_input_grad[1]:
        d_weight = torch.ops.tamis.sparse_conv_weight_gradient(feats, grad, packed, sizes, groups, kernel).to(
            weight.dtype
        )
    return d_feats, d_weight, d_bias, None, d_residual, [None] * len(packed), None, None, None, None


def _keep_input_gradient(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    grad, weight, packed, sizes, _, groups, kernel = inputs
    ctx.save_for_backward(grad, weight, *packed)
    ctx.plain = (sizes, groups, kernel)


def _input_gradient_backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
    """dX is linear in dY, where its transpose is the convolution itself, and in W."""
    grad, weight, *packed = ctx.saved_tensors
    sizes, groups, kernel = ctx.plain
    d_grad = d_weight = None
    if ctx.needs_input_grad[0]:
        d_grad = torch.ops.tamis.sparse_conv(
            upstream, weight, None, None, None, packed, sizes, groups, False, kernel
        )
    if ctx.needs_input_grad[1]:
        d_weight = torch.ops.tamis.sparse_conv_weight_gradient(upstream, grad, packed, sizes, groups, kernel)
        d_weight = d_weight.to(weight.dtype)
    return d_grad, d_weight, [None] * len(packed), None, None, None, None


def _keep_weight_gradient(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    feats, grad, packed, sizes, groups, kernel = inputs
    ctx.save_for_backward(feats, grad, *packed)
    ctx.plain = (sizes, groups, kernel)


def _weight_gradient_backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
    """dW is linear in X and in dY; ``upstream`` stands where the weights do."""
    feats, grad, *packed = ctx.saved_tensors
    sizes, groups, kernel = ctx.plain
    weight = upstream.to(feats.dtype)
    d_feats = d_grad = None
    if ctx.needs_input_grad[0]:
        d_feats = torch.ops.tamis.sparse_conv_input_gradient(
            grad, weight, packed, sizes, len(feats), groups, kernel
        )
    if ctx.needs_input_grad[1]:
        d_grad = torch.ops.tamis.sparse_conv(
            feats, weight, None, None, None, packed, sizes, groups, False, kernel
        )
    return d_feats, d_grad, [None] * len(packed), None, None, None


for _name, _call, _fake, _keep, _gradient in (
    ("sparse_conv", _forward, _forward_fake, _keep_for_backward, _backward),
    (
        "sparse_conv_input_gradient",
        _input_gradient,
        _input_gradient_fake,
        _keep_input_gradient,
        _input_gradient_backward,
    ),
    (
        "sparse_conv_weight_gradient",
        _weight_gradient,
        _weight_gradient_fake,
        _keep_weight_gradient,
        _weight_gradient_backward,
    ),
):
    library.impl(_name, _call, "CompositeExplicitAutograd")
    torch.library.register_fake(f"tamis::{_name}", _fake, lib=library)
    torch.library.register_autograd(f"tamis::{_name}", _gradient, setup_context=_keep, lib=library)

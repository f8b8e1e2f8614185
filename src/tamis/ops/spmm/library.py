"""``torch.ops.tamis.spmm`` and ``spmm_pack``: what eager mode, torch.compile and torch.export all see.

They take component tensors, so no tracer ever meets a sparse layout or what a backend made of it. Defined with the
low-level library, since ``custom_op`` costs five times as much per call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tamis.kernels.cpu import PackedMatrix, pack_values
from tamis.kernels.reference import ACTIVATIONS
from tamis.ops.choice import Kernel
from tamis.ops.observed import observed, transformed
from tamis.ops.spmm.cost import SpmmProblem
from tamis.ops.spmm.kernels import BY_NAME

library = torch.library.Library("tamis", "FRAGMENT")
library.define("spmm_pack(Tensor values, Tensor positions) -> Tensor")
# values: in packed order; packed, sizes: the parts of the record that the kernel's packer made.
library.define(
    "spmm(Tensor values, Tensor? row_scale, Tensor b, Tensor? bias, Tensor[] packed, int[] sizes, str kernel, "
    "str? activation, bool by_rows) -> Tensor"
)


def run(
    kernel: Kernel[SpmmProblem],
    packed: PackedMatrix,
    values: Tensor,
    row_scale: Tensor | None,
    b: Tensor,
    bias: Tensor | None,
    activation: str | None,
    by_rows: bool,
) -> Tensor:
    """Multiply checked operands, ``values`` being in packed order: b (n, k) -> (n, m) if ``by_rows``, else (k, n) -> (m, n).

    Calls the operator; or, where nothing observes it, the kernel, which saves 20 us of dispatch in Python. Under forward-mode
    AD and the transforms of torch.func (jvp, vmap, jacrev ...) the product is torch's own, of the dense matrix.
    """
    wants_grad = torch.is_grad_enabled() and (
        values.requires_grad or b.requires_grad or (bias is not None and bias.requires_grad)
    )
    if wants_grad and activation is not None:
        return ACTIVATIONS[activation](run(kernel, packed, values, row_scale, b, bias, None, by_rows))
    if wants_grad or observed(values, row_scale, b, bias):
        if transformed():
            return _through_dense(packed, values, row_scale, b, bias, activation, by_rows)
        c: Tensor = torch.ops.tamis.spmm.default(
            values, row_scale, b, bias, packed.tensors, packed.sizes, kernel.name, activation, by_rows
        )
        return c
    c = kernel.call(packed, values, row_scale, b, bias, activation, by_rows)
    return c


def _through_dense(
    packed: PackedMatrix,
    values: Tensor,
    row_scale: Tensor | None,
    b: Tensor,
    bias: Tensor | None,
    activation: str | None,
    by_rows: bool,
) -> Tensor:
    c = (b if by_rows else b.mT).float() @ _dense(packed, values, row_scale).mT
    c = c if bias is None else c + bias
    c = (ACTIVATIONS[activation](c) if activation else c).to(b.dtype)
    return c if by_rows else c.mT


def _dense(packed: PackedMatrix, values: Tensor, row_scale: Tensor | None) -> Tensor:
    """The matrix (m, k) in float32, by torch's own functions; differentiable in ``values``."""
    rows, columns = packed.entries()
    real = rows >= 0
    stored = torch.where(real, values, 0).float()
    if row_scale is not None:
        stored = stored * row_scale[rows.clamp(min=0)]
    places = torch.where(real, rows * packed.k + columns, 0)
    empty = torch.zeros(packed.m * packed.k, dtype=torch.float32, device=values.device)
    return empty.index_add(0, places, stored).view(packed.m, packed.k)


def _spmm_cpu(
    values: Tensor,
    row_scale: Tensor | None,
    b: Tensor,
    bias: Tensor | None,
    packed: Sequence[Tensor],
    sizes: Sequence[int],
    kernel: str,
    activation: str | None,
    by_rows: bool,
) -> Tensor:
    record = BY_NAME[kernel]
    c: Tensor = record.call(
        record.packed.from_tensors(packed, sizes), values, row_scale, b, bias, activation, by_rows
    )
    return c


def _spmm_fake(
    values: Tensor,
    row_scale: Tensor | None,
    b: Tensor,
    bias: Tensor | None,
    packed: Sequence[Tensor],
    sizes: Sequence[int],
    kernel: str,
    activation: str | None,
    by_rows: bool,
) -> Tensor:
    return b.new_empty((b.shape[0], sizes[0]) if by_rows else (sizes[0], b.shape[1]))


def _keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    values, row_scale, b, bias, packed, sizes, kernel, activation, by_rows = inputs
    if activation is not None:
        raise NotImplementedError("tamis::spmm with a fused activation has no gradient; apply it afterwards.")
    ctx.save_for_backward(values, row_scale, b, *packed)
    ctx.sizes, ctx.by_rows, ctx.kernel = sizes, by_rows, kernel
    ctx.bias_dtype = None if bias is None else bias.dtype


def _spmm_backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    """dB = A^T dC and dA = (dC B^T) on the pattern, both through one dense m x k matrix.

    At the sparsities of training a dense product and a gather is not slower than a sampled one, and needs no second
    packed layout; m x k is the size the layer had before it was pruned.
    """
    values, row_scale, b, *tensors = ctx.saved_tensors
    packed = BY_NAME[ctx.kernel].packed.from_tensors(tensors, ctx.sizes)
    if not ctx.by_rows:
        grad, b = grad.mT, b.mT  # as rows: grad (n, m), b (n, k)
    grad_values = grad_b = None
    if ctx.needs_input_grad[0]:
        rows, columns = packed.entries()
        on_pattern = (grad.mT.float() @ b.float())[rows.clamp(min=0), columns.clamp(min=0)]
        grad_values = torch.where(rows >= 0, on_pattern, 0.0).to(values.dtype)
    if ctx.needs_input_grad[2]:
        grad_b = (grad.float() @ _dense(packed, values, row_scale)).to(b.dtype)
        grad_b = grad_b if ctx.by_rows else grad_b.mT
    grad_bias = grad.sum(0).to(ctx.bias_dtype) if ctx.needs_input_grad[3] else None
    return grad_values, None, grad_b, grad_bias, [None] * len(tensors), None, None, None, None


def _pack_cpu(values: Tensor, positions: Tensor) -> Tensor:
    return pack_values(positions, values.contiguous())


def _pack_fake(values: Tensor, positions: Tensor) -> Tensor:
    return values.new_empty(positions.shape)


def _keep_positions(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    values, positions = inputs
    ctx.save_for_backward(positions)
    ctx.shape = values.shape


def _pack_backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
    (positions,) = ctx.saved_tensors
    count = ctx.shape.numel()
    slots = torch.where(positions < 0, count, positions).long()
    return grad.new_zeros(count + 1).index_put((slots,), grad)[:-1].view(ctx.shape), None


library.impl("spmm", _spmm_cpu, "CPU")
library.impl("spmm_pack", _pack_cpu, "CPU")
torch.library.register_fake("tamis::spmm", _spmm_fake, lib=library)
torch.library.register_fake("tamis::spmm_pack", _pack_fake, lib=library)
torch.library.register_autograd("tamis::spmm", _spmm_backward, setup_context=_keep_for_backward, lib=library)
torch.library.register_autograd(
    "tamis::spmm_pack", _pack_backward, setup_context=_keep_positions, lib=library
)

"""``torch.ops.tamis.spmm``, ``spmm_pack`` and ``spmm_unpack``: what eager mode, torch.compile and torch.export all see.

They take component tensors, so no tracer ever meets a sparse layout or what a backend made of it. Defined with the
low-level library, since ``custom_op`` costs five times as much per call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tamis.kernels.cpu import PackedMatrix, pack_values, unpack_values
from tamis.kernels.reference import ACTIVATIONS
from tamis.ops.choice import Kernel
from tamis.ops.observed import observed, transformed
from tamis.ops.spmm import through_dense
from tamis.ops.spmm.cost import SpmmProblem
from tamis.ops.spmm.gradients import sddmm, spmm_transposed
from tamis.ops.spmm.kernels import BY_NAME

library = torch.library.Library("tamis", "FRAGMENT")
library.define("spmm_pack(Tensor values, Tensor positions) -> Tensor")
library.define("spmm_unpack(Tensor packed, Tensor positions, int count) -> Tensor")
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
    c: Tensor
    if wants_grad or observed(values, row_scale, b, bias):
        if transformed():
            c = through_dense.spmm(packed, values, row_scale, b, by_rows)
            c = c if bias is None else c + (bias if by_rows else bias[:, None])
            return (ACTIVATIONS[activation](c) if activation else c).to(b.dtype)
        c = torch.ops.tamis.spmm.default(
            values, row_scale, b, bias, packed.tensors, packed.sizes, kernel.name, activation, by_rows
        )
        return c
    c = kernel.call(packed, values, row_scale, b, bias, activation, by_rows)
    return c


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
    values, row_scale, b, *packed = ctx.saved_tensors
    how = packed, ctx.sizes, ctx.kernel, ctx.by_rows
    grad_values = grad_b = None
    if ctx.needs_input_grad[0]:
        grad_values = sddmm(grad, b, *how).to(values.dtype)
    if ctx.needs_input_grad[2]:
        grad_b = spmm_transposed(values, row_scale, grad, *how)
    grad_bias = grad.sum(0 if ctx.by_rows else 1).to(ctx.bias_dtype) if ctx.needs_input_grad[3] else None
    return grad_values, None, grad_b, grad_bias, [None] * len(packed), None, None, None, None


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
    if transformed(grad):
        slots = torch.where(positions < 0, count, positions).long()
        return grad.new_zeros(count + 1).index_put((slots,), grad)[:-1].view(ctx.shape), None
    return torch.ops.tamis.spmm_unpack.default(grad, positions, count).view(ctx.shape), None


def _unpack_cpu(packed: Tensor, positions: Tensor, count: int) -> Tensor:
    return unpack_values(positions, packed.contiguous(), count)


def _unpack_fake(packed: Tensor, positions: Tensor, count: int) -> Tensor:
    return packed.new_empty(count)


def _keep_positions_of_packed(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[1])


def _unpack_backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
    (positions,) = ctx.saved_tensors
    return torch.ops.tamis.spmm_pack.default(grad, positions), None, None


library.impl("spmm", _spmm_cpu, "CPU")
library.impl("spmm_pack", _pack_cpu, "CPU")
library.impl("spmm_unpack", _unpack_cpu, "CPU")
torch.library.register_fake("tamis::spmm", _spmm_fake, lib=library)
torch.library.register_fake("tamis::spmm_pack", _pack_fake, lib=library)
torch.library.register_fake("tamis::spmm_unpack", _unpack_fake, lib=library)
torch.library.register_autograd("tamis::spmm", _spmm_backward, setup_context=_keep_for_backward, lib=library)
torch.library.register_autograd(
    "tamis::spmm_pack", _pack_backward, setup_context=_keep_positions, lib=library
)
torch.library.register_autograd(
    "tamis::spmm_unpack", _unpack_backward, setup_context=_keep_positions_of_packed, lib=library
)

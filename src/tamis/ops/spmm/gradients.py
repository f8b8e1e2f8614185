"""``torch.ops.tamis.sddmm`` and ``spmm_transposed``: with ``spmm`` they are closed under differentiation, and none makes a dense matrix.

    spmm:             C = A B       dA = sddmm(dC, B)    dB = spmm_transposed(A, dC)
    spmm_transposed:  B = Aᵀ C      dA = sddmm(C, dB)    dC = spmm(A, dB)
    sddmm:            A = C Bᵀ      dC = spmm(dA, B)     dB = spmm_transposed(dA, C)      on the pattern of A

A stands for packed values and a packed structure, of which ``kernel`` (of :mod:`tamis.ops.spmm.kernels`) says how it is read; ``by_rows`` is the layout of ``linear``: B is (n, k) and C is (n, m).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tamis.kernels import cpu
from tamis.kernels.cpu import PackedMatrix
from tamis.ops.observed import observed, transformed
from tamis.ops.spmm import through_dense
from tamis.ops.spmm.kernels import BY_NAME
from tamis.ops.spmm.transposed import transposed

library = torch.library.Library("tamis", "FRAGMENT")
library.define(
    "spmm_transposed(Tensor values, Tensor? row_scale, Tensor c, Tensor[] packed, int[] sizes, str kernel, bool by_rows) -> Tensor"
)
library.define("sddmm(Tensor c, Tensor b, Tensor[] packed, int[] sizes, str kernel, bool by_rows) -> Tensor")


def spmm_transposed(
    values: Tensor,
    row_scale: Tensor | None,
    c: Tensor,
    packed: Sequence[Tensor],
    sizes: Sequence[int],
    kernel: str,
    by_rows: bool,
) -> Tensor:
    """Aᵀ @ C, in the dtype of C: c (n, m) -> (n, k) if ``by_rows``, else (m, n) -> (k, n)."""
    if transformed(values, c):
        return through_dense.spmm_transposed(_record(packed, sizes, kernel), values, row_scale, c, by_rows)
    direct = not (_wants_grad(values, c) or observed(values, row_scale, c))
    function = _transposed_cpu if direct else torch.ops.tamis.spmm_transposed.default
    b: Tensor = function(values, row_scale, c, packed, sizes, kernel, by_rows)
    return b


def sddmm(
    c: Tensor, b: Tensor, packed: Sequence[Tensor], sizes: Sequence[int], kernel: str, by_rows: bool
) -> Tensor:
    """C @ Bᵀ at the stored entries: c (n, m) and b (n, k) if ``by_rows``, else (m, n) and (k, n), to packed values in float32."""
    if transformed(c, b):
        return through_dense.sddmm(_record(packed, sizes, kernel), c, b, by_rows)
    direct = not (_wants_grad(c, b) or observed(c, b))
    function = _sddmm_cpu if direct else torch.ops.tamis.sddmm.default
    values: Tensor = function(c, b, packed, sizes, kernel, by_rows)
    return values


def _spmm(
    values: Tensor,
    row_scale: Tensor | None,
    b: Tensor,
    packed: Sequence[Tensor],
    sizes: Sequence[int],
    kernel: str,
    by_rows: bool,
) -> Tensor:
    """A @ B in the dtype of B; exact also where the kernel would round B to 8 bits (a second derivative: one dense matrix will do)."""
    record = _record(packed, sizes, kernel)
    if transformed(values, b) or isinstance(record, cpu.QuadMatrix):
        return through_dense.spmm(record, values, row_scale, b, by_rows).to(b.dtype)
    c: Tensor = torch.ops.tamis.spmm.default(values, row_scale, b, None, packed, sizes, kernel, None, by_rows)
    return c


def _record(packed: Sequence[Tensor], sizes: Sequence[int], kernel: str) -> PackedMatrix:
    record: PackedMatrix = BY_NAME[kernel].packed.from_tensors(packed, sizes)
    return record


def _wants_grad(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def _transposed_cpu(
    values: Tensor,
    row_scale: Tensor | None,
    c: Tensor,
    packed: Sequence[Tensor],
    sizes: Sequence[int],
    kernel: str,
    by_rows: bool,
) -> Tensor:
    a = transposed(_record(packed, sizes, kernel), c.shape[not by_rows])
    scaled = c if row_scale is None else c.float() * (row_scale if by_rows else row_scale[:, None])
    b: Tensor = a.kernel.call(a.packed, a.values(values), None, scaled, None, None, by_rows)
    return b.to(c.dtype)


def _transposed_fake(
    values: Tensor,
    row_scale: Tensor | None,
    c: Tensor,
    packed: Sequence[Tensor],
    sizes: Sequence[int],
    kernel: str,
    by_rows: bool,
) -> Tensor:
    return c.new_empty((c.shape[0], sizes[1]) if by_rows else (sizes[1], c.shape[1]))


def _keep_for_transposed(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    values, row_scale, c, packed, *ctx.how = inputs
    ctx.save_for_backward(values, row_scale, c, *packed)


def _transposed_backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    values, row_scale, c, *packed = ctx.saved_tensors
    sizes, kernel, by_rows = ctx.how
    grad_values = grad_c = None
    if ctx.needs_input_grad[0]:
        grad_values = sddmm(c, grad, packed, sizes, kernel, by_rows).to(values.dtype)
    if ctx.needs_input_grad[2]:
        grad_c = _spmm(values, row_scale, grad, packed, sizes, kernel, by_rows)
    return grad_values, None, grad_c, [None] * len(packed), None, None, None


def _sddmm_cpu(
    c: Tensor, b: Tensor, packed: Sequence[Tensor], sizes: Sequence[int], kernel: str, by_rows: bool
) -> Tensor:
    return cpu.sddmm(_record(packed, sizes, kernel), c, b.to(c.dtype), by_rows)


def _sddmm_fake(
    c: Tensor, b: Tensor, packed: Sequence[Tensor], sizes: Sequence[int], kernel: str, by_rows: bool
) -> Tensor:
    return c.new_empty(_record(packed, sizes, kernel).slots, dtype=torch.float32)


def _keep_for_sddmm(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    c, b, packed, *ctx.how = inputs
    ctx.save_for_backward(c, b, *packed)


def _sddmm_backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    c, b, *packed = ctx.saved_tensors
    sizes, kernel, by_rows = ctx.how
    rows, _ = _record(packed, sizes, kernel).entries()
    grad = torch.where(rows >= 0, grad, 0)  # slots of padding hold no product
    grad_c = grad_b = None
    if ctx.needs_input_grad[0]:
        grad_c = _spmm(grad, None, b, packed, sizes, kernel, by_rows)
    if ctx.needs_input_grad[1]:
        grad_b = spmm_transposed(grad, None, c, packed, sizes, kernel, by_rows)
    return grad_c, grad_b, [None] * len(packed), None, None, None


library.impl("spmm_transposed", _transposed_cpu, "CPU")
library.impl("sddmm", _sddmm_cpu, "CPU")
torch.library.register_fake("tamis::spmm_transposed", _transposed_fake, lib=library)
torch.library.register_fake("tamis::sddmm", _sddmm_fake, lib=library)
torch.library.register_autograd(
    "tamis::spmm_transposed", _transposed_backward, setup_context=_keep_for_transposed, lib=library
)
torch.library.register_autograd("tamis::sddmm", _sddmm_backward, setup_context=_keep_for_sddmm, lib=library)

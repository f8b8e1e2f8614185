"""``torch.ops.tamis.spmm``: the operator that eager mode, torch.compile and torch.export all see.

It takes component tensors, so no tracer ever meets a sparse layout. Defined with the low-level library, since
``custom_op`` costs five times as much per call.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from tamis.kernels.cpu.spmm import spmm_bsr, spmm_csr, spmv_window
from tamis.kernels.cpu.spmm_pack import PanelMatrix, pack_values
from tamis.kernels.cpu.spmv_pack import WindowMatrix
from tamis.kernels.reference.spmm import ACTIVATIONS

NATIVE: dict[str, Callable[..., Tensor]] = {
    "cpu/spmm_csr": spmm_csr,
    "cpu/spmm_bsr": spmm_bsr,
    "cpu/spmv_window": spmv_window,
}
PACKED: dict[str, type[PanelMatrix] | type[WindowMatrix]] = {
    "cpu/spmm_csr": PanelMatrix,
    "cpu/spmm_bsr": PanelMatrix,
    "cpu/spmv_window": WindowMatrix,
}

# packed: the tensors of the kernel's packed matrix and the values in its order; sizes: of that matrix.
SCHEMA = (
    "spmm(Tensor values, Tensor? row_scale, Tensor b, Tensor? bias, Tensor[] packed, int[] sizes, str kernel, "
    "str? activation, bool by_rows) -> Tensor"
)

library = torch.library.Library("tamis", "FRAGMENT")
library.define(SCHEMA)


class PackedFrom:
    """What a packed copy was made from: the very tensor, at a version. Hung on the copy, so it dies with it.

    The operator, not its caller, must notice changed values: in a compiled training step nobody else is asked.
    """

    def __init__(self, values: Tensor | None = None) -> None:
        self.tensor = None if values is None or values.is_inference() else weakref.ref(values)
        self.version = -1 if self.tensor is None else values._version  # type: ignore[union-attr]

    def is_current(self, values: Tensor) -> bool:
        return self.tensor is not None and self.tensor() is values and self.version == values._version

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedFrom, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> PackedFrom:
        return PackedFrom()


def call_spmm(
    values: Tensor,
    row_scale: Tensor | None,
    b: Tensor,
    bias: Tensor | None,
    packed: list[Tensor],
    sizes: tuple[int, ...],
    kernel: str,
    activation: str | None,
    by_rows: bool,
) -> Tensor:
    """Call the operator; or, where nobody looks on, its implementation, which saves 20 us of dispatch in Python.

    Somebody looks on if a gradient is wanted, a tracer or a dispatch mode is active, or ``b`` is a tensor subclass.
    """
    if torch.is_grad_enabled():
        wants_grad = values.requires_grad or b.requires_grad or (bias is not None and bias.requires_grad)
        if wants_grad and activation is not None:
            return ACTIVATIONS[activation](
                torch.ops.tamis.spmm.default(values, row_scale, b, bias, packed, sizes, kernel, None, by_rows)
            )
    else:
        wants_grad = False
    watched = (
        wants_grad
        or torch.compiler.is_compiling()
        or type(b) is not Tensor
        or is_in_torch_dispatch_mode()
        or torch._C._functorch.maybe_current_level() is not None
    )
    if watched:
        return torch.ops.tamis.spmm.default(
            values, row_scale, b, bias, packed, sizes, kernel, activation, by_rows
        )
    return _spmm_cpu(values, row_scale, b, bias, packed, sizes, kernel, activation, by_rows)


def refresh_packed(packed: Sequence[Tensor], values: Tensor) -> None:
    """Bring the packed copy up to date with ``values``, unless it is."""
    copy = packed[4]
    source = getattr(copy, "_packed_from", None)
    if copy.dtype not in (torch.float32, values.dtype):
        raise ValueError(
            f"the plan keeps values as {copy.dtype}, but these are {values.dtype}; make another plan."
        )
    if source is None or not source.is_current(values):
        pack_values(packed[3], values.detach().contiguous(), copy)
        copy._packed_from = PackedFrom(values)  # type: ignore[attr-defined]


def _spmm_cpu(
    values: Tensor,
    row_scale: Tensor | None,
    b: Tensor,
    bias: Tensor | None,
    packed: list[Tensor],
    sizes: Sequence[int],
    kernel: str,
    activation: str | None,
    by_rows: bool,
) -> Tensor:
    refresh_packed(packed, values)
    if bias is not None:
        bias = bias.float().contiguous()
    if row_scale is not None:
        row_scale = row_scale.contiguous()
    matrix = PACKED[kernel].from_tensors(packed[:4], sizes)
    return NATIVE[kernel](matrix, packed[4], row_scale, b, bias, activation, by_rows)


def _spmm_fake(
    values: Tensor,
    row_scale: Tensor | None,
    b: Tensor,
    bias: Tensor | None,
    packed: list[Tensor],
    sizes: list[int],
    kernel: str,
    activation: str | None,
    by_rows: bool,
) -> Tensor:
    return b.new_empty((b.shape[0], sizes[0]) if by_rows else (sizes[0], b.shape[1]))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    values, row_scale, b, bias, packed, sizes, kernel, activation, by_rows = inputs
    if activation is not None:
        raise NotImplementedError("tamis::spmm with a fused activation has no gradient; apply it afterwards.")
    ctx.save_for_backward(values, row_scale, b, *packed[:4])
    ctx.sizes, ctx.by_rows, ctx.kernel = sizes, by_rows, kernel
    ctx.bias_dtype = None if bias is None else bias.dtype


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    """dB = A^T dC and dA = (dC B^T) on the pattern, both through one dense m × k matrix.

    At the sparsities of training a dense product and a gather is not slower than a sampled one, and needs no second
    packed layout; m × k is the size the layer had before it was pruned.
    """
    values, row_scale, b, *packed = ctx.saved_tensors
    positions = packed[3]
    m, k = ctx.sizes[:2]
    if not ctx.by_rows:
        grad, b = grad.mT, b.mT  # as rows: grad (n, m), b (n, k)
    rows, columns = PACKED[ctx.kernel].from_tensors(packed, ctx.sizes).entries()
    places, real = rows * k + columns, positions >= 0
    grad_values = grad_b = None
    if ctx.needs_input_grad[0]:
        on_pattern = (grad.mT.float() @ b.float()).flatten()[places]
        sums = torch.zeros(values.numel() + 1, dtype=torch.float32)
        slot = torch.where(real, positions, values.numel()).long()
        grad_values = sums.index_put((slot,), on_pattern)[:-1].view_as(values).to(values.dtype)
    if ctx.needs_input_grad[2]:
        stored = torch.where(real, values.flatten()[positions.clamp(min=0).long()], 0).float()
        if row_scale is not None:
            stored = stored * row_scale[rows]
        dense = torch.zeros(m * k).index_add(0, places, stored).view(m, k)
        grad_b = (grad.float() @ dense).to(b.dtype)
        grad_b = grad_b if ctx.by_rows else grad_b.mT
    grad_bias = grad.sum(0).to(ctx.bias_dtype) if ctx.needs_input_grad[3] else None
    return grad_values, None, grad_b, grad_bias, [None] * 5, None, None, None, None


library.impl("spmm", _spmm_cpu, "CPU")
torch.library.register_fake("tamis::spmm", _spmm_fake, lib=library)
torch.library.register_autograd("tamis::spmm", _backward, setup_context=_setup_context, lib=library)

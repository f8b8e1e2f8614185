"""The three products by torch's own functions, through one dense matrix: for forward-mode AD and the transforms of torch.func.

Those pass through no operator of ours. Operands are as in :mod:`tamis.ops.spmm.gradients`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.kernels.cpu import PackedMatrix


def spmm(packed: PackedMatrix, values: Tensor, row_scale: Tensor | None, b: Tensor, by_rows: bool) -> Tensor:
    """A @ B in float32."""
    c = (b if by_rows else b.mT).float() @ _dense(packed, values, row_scale).mT
    return c if by_rows else c.mT


def spmm_transposed(
    packed: PackedMatrix, values: Tensor, row_scale: Tensor | None, c: Tensor, by_rows: bool
) -> Tensor:
    """Aᵀ @ C in the dtype of C."""
    b = ((c if by_rows else c.mT).float() @ _dense(packed, values, row_scale)).to(c.dtype)
    return b if by_rows else b.mT


def sddmm(packed: PackedMatrix, c: Tensor, b: Tensor, by_rows: bool) -> Tensor:
    """C @ Bᵀ in float32, at the stored entries; 0 in padding."""
    product = c.mT.float() @ b.float() if by_rows else c.float() @ b.mT.float()
    rows, columns = packed.entries()
    return torch.where(rows >= 0, product[rows.clamp(min=0), columns.clamp(min=0)], 0.0)


def _dense(packed: PackedMatrix, values: Tensor, row_scale: Tensor | None) -> Tensor:
    """The matrix (m, k) in float32; differentiable in ``values``."""
    rows, columns = packed.entries()
    real = rows >= 0
    stored = torch.where(real, values, 0).float()
    if row_scale is not None:
        stored = stored * row_scale[rows.clamp(min=0)]
    places = torch.where(real, rows * packed.k + columns, 0)
    empty = torch.zeros(packed.m * packed.k, dtype=torch.float32, device=values.device)
    return empty.index_add(0, places, stored).view(packed.m, packed.k)

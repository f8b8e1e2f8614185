"""Sparse × dense, written so that one look proves it right."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "silu": functional.silu,
}


def sddmm(crow_indices: Tensor, col_indices: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The entries of A @ B.T in float64 that a CSR pattern stores, in its order; A (m, n), B (k, n)."""
    rows = torch.repeat_interleave(torch.arange(crow_indices.numel() - 1), crow_indices.diff())
    return (a.double()[rows] * b.double()[col_indices]).sum(1)


def spmm(
    crow_indices: Tensor,
    col_indices: Tensor,
    values: Tensor,
    shape: tuple[int, int],
    b: Tensor,
    bias: Tensor | None = None,
    activation: str | None = None,
) -> Tensor:
    """C = act(A @ B + bias[:, None]) in float64, A as CSR of ``shape`` (m, k), B (k, n).

    Only stored entries take part, as in every kernel: a NaN or Inf of B reaches a row of C only through an entry of A
    that is stored.
    """
    rows = torch.repeat_interleave(torch.arange(shape[0], device=values.device), crow_indices.diff())
    products = values.double()[:, None] * b.double()[col_indices]
    c = torch.zeros(shape[0], b.shape[1], dtype=torch.float64, device=values.device).index_add(
        0, rows, products
    )
    if bias is not None:
        c = c + bias.double()[:, None]
    return ACTIVATIONS[activation](c) if activation else c

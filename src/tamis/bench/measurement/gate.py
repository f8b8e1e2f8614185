"""The gate before the clock: operands with a float64 reference, and how far a float32 product may be from it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

import torch
from torch import Tensor


@dataclass(frozen=True)
class Operands:
    """One product C = A @ B, in every layout that a contestant may want.

    Attributes
    ----------
    weight : Tensor, shape (m, k)
        A, dense, with exact zeros.
    b : Tensor, shape (k, n)
        B, row-major, for products in the layout of ``torch.mm``.
    x : Tensor, shape (n, k)
        The same numbers row-major, for the layout of ``F.linear``.
    expected, magnitude : Tensor, shape (m, n), float64
        ``A @ B`` and ``|A| @ |B|``.
    pattern : str
        Sparsity pattern by name, for contestants that store blocks.
    """

    weight: Tensor
    b: Tensor
    x: Tensor
    expected: Tensor
    magnitude: Tensor
    pattern: str

    @property
    def n(self) -> int:
        return self.b.shape[1]

    @classmethod
    def make(cls, weight: Tensor, n: int, pattern: str, seed: int = 0) -> Operands:
        """Draw B from a normal distribution and compute the reference from the rounded operands."""
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(n, weight.shape[1], generator=generator).to(weight.dtype)
        b = x.T.contiguous()
        wide, wide_b = weight.double(), b.double()
        return cls(weight, b, x, wide @ wide_b, wide.abs() @ wide_b.abs(), pattern)


def error(product: Tensor, operands: Operands) -> float:
    """Largest ``|C - expected| / (|A| @ |B|)``; inf for a wrong shape, a NaN, or anything but 0 where both are 0."""
    if product.shape != operands.expected.shape:
        return inf
    difference = (product.double() - operands.expected).abs()
    relative = torch.where(difference == 0, 0.0, difference / operands.magnitude)
    return float(relative.nan_to_num(nan=inf, posinf=inf).max()) if relative.numel() else 0.0


def tolerance(operands: Operands) -> float:
    """Bound on :func:`error` for sums in float32 (half precision adds its own rounding of the result).

    Rounding errors of a sum of L terms grow like ``eps * sqrt(L)`` in practice and ``eps * L`` at worst. Four times the
    first lets any order of summation pass, also the worst of millions of entries, and stops a wrong or missing entry that
    is larger than a ten-thousandth of its row.
    """
    longest = int((operands.weight != 0).sum(1).max()) if operands.weight.numel() else 0
    eps = torch.finfo(torch.float32).eps
    rounding = (
        0.0
        if operands.weight.dtype in (torch.float32, torch.float64)
        else torch.finfo(operands.weight.dtype).eps
    )
    return 4 * eps * sqrt(max(1, longest)) + rounding

"""The operands of one product, with its float64 reference."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan

import torch
from torch import Tensor

from tamis.bench.measurement import relative_error, rounding_bound


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

    def error(self, product: Tensor) -> float:
        """Largest ``|C - expected| / (|A| @ |B|)``, see :func:`tamis.bench.measurement.relative_error`."""
        return relative_error(product, self.expected, self.magnitude)

    def distance(self, product: Tensor) -> float:
        """``||C - expected|| / ||expected||``, Frobenius norms: for products that are rounded on purpose; inf for a wrong shape."""
        if product.shape != self.expected.shape:
            return inf
        off = float((product.double() - self.expected).norm() / self.expected.norm())
        return inf if isnan(off) else off

    @property
    def tolerance(self) -> float:
        """Bound on :meth:`error`, from the longest row of A."""
        longest = int((self.weight != 0).sum(1).max()) if self.weight.numel() else 0
        return rounding_bound(longest, self.weight.dtype)

"""The gate before the clock: who cannot take part, and how far a product may be from its float64 reference."""

from __future__ import annotations

from math import inf, sqrt

import torch
from torch import Tensor


class Unavailable(Exception):
    """A contestant cannot take part here; the message is the reason that its row gives."""


def relative_error(product: Tensor, expected: Tensor, magnitude: Tensor) -> float:
    """Largest ``|product - expected| / magnitude``; inf for a wrong shape, a NaN, or anything but 0 where both are 0.

    Parameters
    ----------
    product : Tensor
        What a contestant returned.
    expected, magnitude : Tensor, float64
        The reference, and the same sums over absolute values.
    """
    if product.shape != expected.shape:
        return inf
    difference = (product.double() - expected).abs()
    relative = torch.where(difference == 0, 0.0, difference / magnitude)
    return float(relative.nan_to_num(nan=inf, posinf=inf).max()) if relative.numel() else 0.0


def rounding_bound(terms: int, dtype: torch.dtype = torch.float32) -> float:
    """Bound on :func:`relative_error` for float32 sums of ``terms`` products (half precision adds its rounding of the result).

    Rounding errors of a sum of L terms grow like ``eps * sqrt(L)`` in practice and ``eps * L`` at worst. Four times the
    first lets any order of summation pass, also the worst of millions of entries, and stops a wrong or missing entry that
    is larger than a ten-thousandth of its row.
    """
    rounding = 0.0 if dtype in (torch.float32, torch.float64) else torch.finfo(dtype).eps
    return 4 * torch.finfo(torch.float32).eps * sqrt(max(1, terms)) + rounding

"""int8 values with one float32 scale per row."""

from typing import TypeVar

import torch

from tamis.formats.matrix import SparseMatrix

M = TypeVar("M", bound=SparseMatrix)


def quantize_rows(a: M) -> M:
    """Round the values of a sparse matrix to int8, scaled so that the largest of each row becomes ±127.

    Symmetric, round half to even; the error of each value is at most half its row's scale. The structure stays: a value
    that rounds to 0 remains stored. ``a.to(torch.float32)`` multiplies out again.

    Parameters
    ----------
    a : CSR, BSR, NM or Bitmap with float values

    Returns
    -------
    The same format, with int8 values and ``row_scale``.

    Raises
    ------
    ValueError
        If a value is NaN or infinite (int8 has neither), or the values are int8 already.
    """
    call = "quantize_rows(a)"
    if a.row_scale is not None:
        raise ValueError(f"{call}: the values are int8 already; a.to(torch.float32) multiplies them out.")
    values = a.values.detach().float()
    rows = a.spread_rows(torch.arange(a.shape[0], device=a.device)).expand_as(values)
    finite = values.isfinite()
    if not bool(finite.all()):
        raise ValueError(f"{call}: row {int(rows[~finite][0])} holds NaN or Inf, which int8 cannot.")
    largest = torch.zeros(a.shape[0], dtype=torch.float32, device=a.device)
    largest.scatter_reduce_(0, rows.flatten(), values.abs().flatten(), "amax")
    # Not below the smallest normal number, where a division by 127 would lose its digits.
    least = torch.finfo(torch.float32).tiny
    scale = torch.where(largest > 0, (largest / 127).clamp(min=least), torch.ones_like(largest))
    quantized = (values / a.spread_rows(scale)).round().to(torch.int8)
    return a._replaced(a._structure_memo, values=quantized, row_scale=scale)

"""What a kernel sees of a sparse matrix: size, unevenness, and how much rows and blocks have in common."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from tamis.formats import RowStatistics


@dataclass(frozen=True)
class Manifest:
    """The figures that go with every generated matrix.

    Attributes
    ----------
    m, k, nnz : int
        Shape and number of nonzeros.
    sparsity : float
        ``1 - nnz / (m * k)``.
    row_cov : float
        Coefficient of variation of the nonzeros per row.
    min_row, max_row, empty_rows : int
        Fewest and most nonzeros in a row; rows without any.
    reuse_4, reuse_8 : float
        p(M_r): nonzeros per non-empty column of a panel of M_r = 4 or 8 rows, between 1 (no two rows of a panel share a
        column) and M_r (all do). It bounds how often a loaded row of B serves. 0 for an empty matrix.
    fill_4x1, fill_8x1, fill_16x1, fill_16x16 : float
        Nonzeros divided by the area of the blocks that hold any: 1 when the matrix is made of such blocks.
    """

    m: int
    k: int
    nnz: int
    sparsity: float
    row_cov: float
    min_row: int
    max_row: int
    empty_rows: int
    reuse_4: float
    reuse_8: float
    fill_4x1: float
    fill_8x1: float
    fill_16x1: float
    fill_16x16: float


def describe(weight: Tensor) -> Manifest:
    """Compute the manifest of a dense tensor of shape (m, k) whose zeros are the absent entries."""
    if weight.ndim != 2:
        raise ValueError(
            f"describe(weight): got shape {tuple(weight.shape)}, expected two dimensions (m, k)."
        )
    present = weight != 0
    m, k = present.shape
    rows = RowStatistics.from_lengths(present.sum(1))
    nnz = int(present.sum())
    return Manifest(
        m=m,
        k=k,
        nnz=nnz,
        sparsity=1 - nnz / max(1, m * k),
        row_cov=rows.cov,
        min_row=rows.min,
        max_row=rows.max,
        empty_rows=rows.empty,
        reuse_4=4 * block_fill(present, 4, 1),
        reuse_8=8 * block_fill(present, 8, 1),
        fill_4x1=block_fill(present, 4, 1),
        fill_8x1=block_fill(present, 8, 1),
        fill_16x1=block_fill(present, 16, 1),
        fill_16x16=block_fill(present, 16, 16),
    )


def block_fill(present: Tensor, rows: int, cols: int) -> float:
    """Nonzeros per entry of the non-empty ``rows`` × ``cols`` blocks of a bool tensor (m, k); a ragged edge is padded."""
    m, k = present.shape
    padded = pad(present.to(torch.int32), (0, -k % cols, 0, -m % rows))
    counts = padded.reshape(-(-m // rows), rows, -(-k // cols), cols).sum((1, 3))
    touched = int((counts > 0).sum())
    return int(counts.sum()) / (touched * rows * cols) if touched else 0.0

"""The structure of a transposed CSR matrix, apart from its numbers."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tamis.formats.coordinates import pointers_from_lengths, repeat_rows


@dataclass(frozen=True, eq=False)
class TransposedStructure:
    """Structure of A^T, and the order in which the values of A become the values of A^T.

    Attributes
    ----------
    crow_indices : Tensor, shape (k + 1,), int32
    col_indices : Tensor, shape (nnz,), int32
    permutation : Tensor, shape (nnz,), int64
        ``a.values[permutation]`` are the values of A^T.
    """

    crow_indices: Tensor
    col_indices: Tensor
    permutation: Tensor


def transposed_structure(
    crow_indices: Tensor, col_indices: Tensor, shape: tuple[int, int]
) -> TransposedStructure:
    """Transpose a checked CSR structure by one stable sort of its columns, so the result is unique."""
    permutation = torch.sort(col_indices, stable=True).indices
    rows = repeat_rows(crow_indices.diff(), col_indices.numel()).int()
    lengths = torch.bincount(col_indices, minlength=shape[1])
    return TransposedStructure(pointers_from_lengths(lengths), rows[permutation], permutation)

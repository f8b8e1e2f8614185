"""The structure of a format as the SpMM packers take it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tamis.formats import BSR, CSR, SparseMatrix


@dataclass(frozen=True, eq=False)
class PackableIndices:
    """CSR or BSR indices, and where each of their entries stands in the format's own flattened values.

    ``order`` is None where the two orders are the same.
    """

    crow_indices: Tensor
    col_indices: Tensor
    order: Tensor | None = None

    def own_positions(self, positions: Tensor) -> Tensor:
        """Let positions in these entries, -1 for none, point into the format's own values."""
        if self.order is None:
            return positions
        return torch.where(positions < 0, -1, self.order[positions.clamp(min=0).long()]).int()


def rows_of(a: SparseMatrix) -> PackableIndices:
    """Indices with a column for every stored value; computed once per structure for formats other than CSR."""
    if isinstance(a, CSR):
        return PackableIndices(a.crow_indices, a.col_indices)
    if "spmm_rows" not in a._structure_memo:
        # Numbering the values (from 1: a zero might be dropped) and converting tells where each went.
        numbers_from_1 = torch.arange(1, a.nnz + 1, dtype=torch.float64, device=a.values.device).view_as(
            a.values
        )
        numbered = a.with_values(numbers_from_1).to_csr()
        a._structure_memo["spmm_rows"] = PackableIndices(
            numbered.crow_indices, numbered.col_indices, numbered.values.int() - 1
        )
    indices: PackableIndices = a._structure_memo["spmm_rows"]
    return indices


def blocks_of(a: SparseMatrix) -> PackableIndices:
    if not isinstance(a, BSR):
        raise TypeError(f"blocks_of(a): a is {type(a).__name__}, expected BSR.")
    return PackableIndices(a.crow_indices, a.col_indices)

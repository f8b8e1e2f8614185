"""The structure of a format as the SpMM packers take it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tamis.formats import BSR, CSR, SparseMatrix


@dataclass(frozen=True, eq=False)
class PackableStructure:
    """CSR or BSR indices, and where each of their entries stands in the format's own flattened values.

    ``order`` is None where the two orders are the same.
    """

    crow_indices: Tensor
    col_indices: Tensor
    blocksize: tuple[int, int]
    order: Tensor | None = None


def as_rows(a: SparseMatrix) -> PackableStructure:
    """Structure with a column for every stored value; computed once per structure for formats other than CSR."""
    if isinstance(a, CSR):
        return PackableStructure(a.crow_indices, a.col_indices, (1, 1))
    if "spmm_rows" not in a._structure_memo:
        # Numbering the values (from 1: a zero might be dropped) and converting tells where each went.
        numbers_from_1 = torch.arange(1, a.nnz + 1, dtype=torch.float64).view_as(a.values)
        numbered = a.with_values(numbers_from_1).to_csr()
        a._structure_memo["spmm_rows"] = PackableStructure(
            numbered.crow_indices, numbered.col_indices, (1, 1), numbered.values.int() - 1
        )
    structure: PackableStructure = a._structure_memo["spmm_rows"]
    return structure


def as_blocks(a: BSR) -> PackableStructure:
    return PackableStructure(a.crow_indices, a.col_indices, a.blocksize)

"""Compressed sparse rows: the format of unstructured sparsity, and the hub of all conversions."""

from dataclasses import dataclass, field
from typing import Any, Literal, Self

import torch
from torch import Tensor

from tamis.formats import coordinates, interchange, invariants, zeros
from tamis.formats.matrix import SparseMatrix
from tamis.formats.transposition import TransposedStructure, transposed_structure


@dataclass(frozen=True, eq=False, repr=False)
class CSR(SparseMatrix):
    """Sparse (m, k) matrix stored row by row.

    Row i holds ``values[crow_indices[i]:crow_indices[i + 1]]`` in the columns ``col_indices[...]`` of the same range.
    The constructor keeps the tensors it is given (no copy) where they are contiguous and of the right dtype, and checks
    them. Explicitly stored zeros are allowed and count in ``nnz``.

    Parameters
    ----------
    crow_indices : Tensor, shape (m + 1,), int32
        Row pointers: start at 0, never descend, end at nnz. int64 is narrowed.
    col_indices : Tensor, shape (nnz,), int32
        Columns, strictly ascending inside each row. int64 is narrowed.
    values : Tensor, shape (nnz,)
        float32, float64, float16, bfloat16, or int8 with ``row_scale``.
    shape : (int, int)
        Rows m and columns k.
    row_scale : Tensor, shape (m,), float32, optional
        For int8 values: value = int8 * row_scale[row].

    Raises
    ------
    ValueError, TypeError
        Naming the field and the first bad row.

    Examples
    --------
    >>> w = torch.tensor([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]])
    >>> a = tamis.CSR.from_dense(w)
    >>> a.nnz, a.col_indices.tolist()
    (3, [1, 0, 2])
    >>> torch.equal(a.to_dense(), w)
    True
    """

    crow_indices: Tensor
    col_indices: Tensor
    values: Tensor
    shape: tuple[int, int]
    row_scale: Tensor | None = None
    _memo: dict[Any, Any] = field(default_factory=dict, init=False)
    _structure_memo: dict[Any, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        call = "CSR(crow_indices, col_indices, values, shape)"
        shape = invariants.check_shape(call, self.shape)
        values = invariants.check_values(call, self.values, 1)
        checked = {
            "shape": shape,
            "values": values,
            "crow_indices": invariants.check_indices(call, "crow_indices", self.crow_indices),
            "col_indices": invariants.check_indices(call, "col_indices", self.col_indices),
            "row_scale": invariants.check_row_scale(call, values, self.row_scale, shape[0]),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        invariants.check_devices(call, **self.components())
        self.check()

    def check(self) -> None:
        """Check every invariant again, after tensors may have been changed in place; ValueError names the field."""
        call, (rows, columns) = "CSR(crow_indices, col_indices, values, shape)", self.shape
        if self.col_indices.shape != self.values.shape:
            raise ValueError(
                f"{call}: col_indices has {self.col_indices.numel()} entries, but values has {self.values.numel()}."
            )
        invariants.check_pointers(call, "crow_indices", self.crow_indices, rows, self.values.numel())
        cure = "CSR.from_unsorted sorts the entries and sums duplicates"
        invariants.check_columns(call, "col_indices", self.crow_indices, self.col_indices, columns, cure)

    @classmethod
    def from_dense(cls, w: Tensor, *, mask: Tensor | None = None, row_scale: Tensor | None = None) -> Self:
        """Store the nonzero entries of a dense matrix, or those that ``mask`` names.

        Parameters
        ----------
        w : Tensor, shape (m, k)
            float32, float64, float16, bfloat16, or int8 with ``row_scale``. Gradients flow back to ``w``.
        mask : Tensor, shape (m, k), bool, optional
            Entries to store whatever their value. Without it NaN is stored, 0.0 and -0.0 are not.
        row_scale : Tensor, shape (m,), float32, optional
        """
        stored = zeros.entries_to_store("CSR.from_dense(w)", w, mask)
        flat = stored.flatten().nonzero().squeeze(1)
        invariants.check_count("CSR.from_dense(w)", "the pattern", flat.numel())
        rows, columns = w.shape
        pointers = coordinates.pointers_from_sorted(flat, rows, columns)
        return cls(pointers, (flat % max(columns, 1)).int(), w.flatten()[flat], (rows, columns), row_scale)

    @classmethod
    def from_coo(
        cls,
        row_indices: Tensor,
        col_indices: Tensor,
        values: Tensor,
        shape: tuple[int, int],
        *,
        row_scale: Tensor | None = None,
        duplicates: Literal["sum", "error"] = "sum",
    ) -> Self:
        """Build from (row, column, value) triples in any order.

        Parameters
        ----------
        row_indices, col_indices : Tensor, shape (nnz,), int32 or int64
        values : Tensor, shape (nnz,)
        shape : (int, int)
        row_scale : Tensor, shape (m,), float32, optional
        duplicates : {"sum", "error"}
            Entries at one position are added in the order given, as in scipy and torch, or refused.
        """
        call = "CSR.from_coo(row_indices, col_indices, values, shape)"
        parts = coordinates.sorted_rows(call, row_indices, col_indices, values, shape, duplicates)
        return cls(*parts, shape, row_scale)

    @classmethod
    def from_unsorted(
        cls,
        crow_indices: Tensor,
        col_indices: Tensor,
        values: Tensor,
        shape: tuple[int, int],
        *,
        row_scale: Tensor | None = None,
        duplicates: Literal["sum", "error"] = "sum",
    ) -> Self:
        """Build from row pointers and columns that may be unsorted or repeated inside a row; see :meth:`from_coo`."""
        call = "CSR.from_unsorted(crow_indices, col_indices, values, shape)"
        rows = coordinates.rows_from_pointers(
            call, crow_indices, invariants.check_shape(call, shape)[0], col_indices
        )
        parts = coordinates.sorted_rows(call, rows, col_indices, values, shape, duplicates)
        return cls(*parts, shape, row_scale)

    @classmethod
    def from_torch(cls, tensor: Tensor) -> Self:
        """Build from a torch.sparse tensor (COO, CSR, CSC, BSR, BSC); every stored entry stays, blocks included."""
        return cls.from_coo(*interchange.coo_from_torch("CSR.from_torch(tensor)", tensor))

    @classmethod
    def from_scipy(cls, matrix: Any) -> Self:
        """Build from any scipy.sparse matrix or array; duplicates are summed, stored zeros stay."""
        return cls.from_coo(*interchange.coo_from_scipy("CSR.from_scipy(matrix)", matrix))

    @classmethod
    def from_csr(cls, a: "CSR") -> "CSR":
        """Return ``a``: conversion to CSR ends here."""
        return a

    def to_csr(self) -> "CSR":
        """Return itself."""
        return self

    def to_dense(self) -> Tensor:
        """Return the dense (m, k) tensor; float32 for int8 values. Differentiable in ``values``."""
        rows, columns = self.shape
        values = self.scaled_values()
        places = self.row_indices() * columns + self.col_indices
        dense = torch.zeros(rows * columns, dtype=values.dtype, device=self.device)
        return dense.index_put((places,), values).view(rows, columns)

    def to_torch(self) -> Tensor:
        """Return a torch.sparse_csr tensor on the same index and value tensors (int8 values multiplied out)."""
        return interchange.csr_to_torch(self.crow_indices, self.col_indices, self.scaled_values(), self.shape)

    def to_scipy(self) -> Any:
        """Return a scipy.sparse.csr_array (int8 values multiplied out); ModuleNotFoundError without scipy."""
        return interchange.csr_to_scipy(self.crow_indices, self.col_indices, self.scaled_values(), self.shape)

    def row_indices(self) -> Tensor:
        """Return the row of each stored value, int64 of shape (nnz,)."""
        return coordinates.repeat_rows(self.row_lengths(), self.nnz)

    def transpose_structure(self) -> TransposedStructure:
        """Return the structure of the transposed matrix and where its values come from; computed once, kept."""
        structure: TransposedStructure | None = self._structure_memo.get("transpose")
        if structure is None:
            structure = transposed_structure(self.crow_indices, self.col_indices, self.shape)
            self._structure_memo["transpose"] = structure
        return structure

    def transpose(self) -> "CSR":
        """Return the (k, m) transpose; entries of one column keep their row order. Differentiable in ``values``."""
        if self.row_scale is not None:
            raise ValueError(
                "CSR.transpose(): int8 values are scaled by row, so their transpose would be scaled by column; "
                "a.to(torch.float32).transpose() multiplies them out first."
            )
        structure = self.transpose_structure()
        values = self.values[structure.permutation]
        return CSR(structure.crow_indices, structure.col_indices, values, (self.shape[1], self.shape[0]))

    def spread_rows(self, per_row: Tensor) -> Tensor:
        """Arrange one number per row, shape (m,), so that it broadcasts against ``values``."""
        return per_row[self.row_indices()]

    def _line_lengths(self) -> tuple[Tensor, int]:
        return self.crow_indices.diff(), 1

    def _layout(self) -> str:
        return ""

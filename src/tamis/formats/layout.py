"""A format without its tensors: enough to build a matrix again from its stored entries in any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from tamis.formats import coordinates
from tamis.formats.bitmap import Bitmap
from tamis.formats.bsr import BSR
from tamis.formats.csr import CSR
from tamis.formats.matrix import SparseMatrix
from tamis.formats.nm import NM


@dataclass(frozen=True)
class Layout:
    """The format, sizes and pattern of a matrix.

    Attributes
    ----------
    format : type
        CSR, BSR, NM or Bitmap.
    shape : (int, int)
    pattern : tuple of int
        ``blocksize`` of BSR, (n, m) of NM, () of others.
    """

    format: type[SparseMatrix]
    shape: tuple[int, int]
    pattern: tuple[int, ...] = ()

    @classmethod
    def of(cls, a: SparseMatrix) -> Self:
        if isinstance(a, BSR):
            return cls(BSR, a.shape, a.blocksize)
        return cls(NM, a.shape, (a.n, a.m)) if isinstance(a, NM) else cls(type(a), a.shape)

    def build(self, rows: Tensor, columns: Tensor, values: Tensor, row_scale: Tensor | None) -> SparseMatrix:
        """Return the matrix that stores these entries and no others, whatever their values.

        Parameters
        ----------
        rows, columns : Tensor, shape (nnz,), int64
            Distinct places in any order; whole blocks for BSR, n of each group for NM.
        values : Tensor, shape (nnz,)
            Differentiable.
        row_scale : Tensor, shape (m,), optional
            For int8 values.
        """
        order = self._keys(rows, columns).argsort()
        rows, columns, values = rows[order], columns[order], values[order]
        if self.format is BSR:
            height, width = self.pattern
            first = slice(None, None, height * width)
            block_rows, block_columns = rows[first] // height, columns[first] // width
            pointers = self._pointers(block_rows, self.shape[0] // height)
            return BSR(pointers, block_columns.int(), values.view(-1, height, width), self.shape, row_scale)
        if self.format is NM:
            n, m = self.pattern
            slots = (self.shape[0], self.shape[1] // m * n)
            indices = (columns % m).to(torch.uint8).view(slots)
            return NM(values.view(slots), indices, self.shape, n, m, row_scale)
        csr = CSR(self._pointers(rows, self.shape[0]), columns.int(), values, self.shape, row_scale)
        return Bitmap.from_csr(csr) if self.format is Bitmap else csr

    def from_components(self, components: dict[str, Any]) -> SparseMatrix:
        """Return the matrix of this format with these component tensors, checked."""
        numbers = {"shape": self.shape}
        if self.format is NM:
            numbers |= dict(zip(("n", "m"), self.pattern, strict=True))  # type: ignore[arg-type]
        return self.format(**components, **numbers)

    def from_dense(self, w: Tensor, row_scale: Tensor | None = None) -> SparseMatrix:
        """Return the matrix of this format that stores the nonzeros of a dense one; see its ``from_dense``."""
        if self.format is BSR:
            return BSR.from_dense(w, (self.pattern[0], self.pattern[1]), row_scale=row_scale)
        if self.format is NM:
            return NM.from_dense(w, *self.pattern, row_scale=row_scale)
        return (Bitmap if self.format is Bitmap else CSR).from_dense(w, row_scale=row_scale)

    def _keys(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Numbers that ascend in the order of ``values``."""
        height, width = self.pattern if self.format is BSR else (1, 1)
        blocks = (rows // height) * (self.shape[1] // width) + columns // width
        return (blocks * height + rows % height) * width + columns % width

    @staticmethod
    def _pointers(sorted_rows: Tensor, rows: int) -> Tensor:
        return coordinates.pointers_from_lengths(torch.bincount(sorted_rows, minlength=rows))

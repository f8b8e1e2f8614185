"""One bit per entry: the smallest format between about 5 and 95 % sparsity."""

from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from tamis.formats import coordinates, invariants, zeros
from tamis.formats.csr import CSR
from tamis.formats.matrix import SparseMatrix


@dataclass(frozen=True, eq=False, repr=False)
class Bitmap(SparseMatrix):
    """Sparse (m, k) matrix that marks its stored entries in a bitmap.

    Bit ``j % 8`` (least significant first) of ``bitmap[i, j // 8]`` is set if entry (i, j) is stored. Row i holds
    ``values[crow_indices[i]:crow_indices[i + 1]]`` in the order of its bits. Bits beyond column k are clear. The
    constructor keeps the tensors it is given (no copy) where they are contiguous and of the right dtype, and checks them.

    Parameters
    ----------
    bitmap : Tensor, shape (m, ceil(k / 8)), uint8
    crow_indices : Tensor, shape (m + 1,), int32
        Row pointers into ``values``. int64 is narrowed.
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
    >>> a = tamis.Bitmap.from_dense(torch.tensor([[0.0, 5.0, 0.0, 7.0]]))
    >>> a.values.tolist()
    [5.0, 7.0]
    """

    bitmap: Tensor
    crow_indices: Tensor
    values: Tensor
    shape: tuple[int, int]
    row_scale: Tensor | None = None
    _memo: dict[Any, Any] = field(default_factory=dict, init=False)
    _structure_memo: dict[Any, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        call = "Bitmap(bitmap, crow_indices, values, shape)"
        shape = invariants.check_shape(call, self.shape)
        values = invariants.check_values(call, self.values, 1)
        invariants.check_tensor(call, "bitmap", self.bitmap, 2)
        if self.bitmap.dtype != torch.uint8:
            raise TypeError(
                f"{call}: bitmap has dtype {self.bitmap.dtype}; expected uint8, eight columns a byte."
            )
        checked = {
            "shape": shape,
            "values": values,
            "bitmap": self.bitmap.contiguous(),
            "crow_indices": invariants.check_indices(call, "crow_indices", self.crow_indices),
            "row_scale": invariants.check_row_scale(call, values, self.row_scale, shape[0]),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        invariants.check_devices(call, **self.components())
        self.check()

    def check(self) -> None:
        """Check every invariant again, after tensors may have been changed in place; ValueError names the field."""
        call, (rows, columns) = "Bitmap(bitmap, crow_indices, values, shape)", self.shape
        expected = (rows, -(-columns // 8))
        if self.bitmap.shape != expected:
            raise ValueError(
                f"{call}: shape {self.shape} needs a bitmap of shape {expected}, but got {tuple(self.bitmap.shape)}."
            )
        invariants.check_pointers(call, "crow_indices", self.crow_indices, rows, self.values.numel())
        if self.bitmap.is_meta or self.bitmap.numel() == 0:
            return
        wrong = _bit_counts(self.bitmap) != self.crow_indices.diff()
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0])
            raise ValueError(
                f"{call}: row {row} of bitmap has {int(_bit_counts(self.bitmap[row : row + 1]))} bits set, "
                f"but crow_indices gives it {int(self.crow_indices[row + 1] - self.crow_indices[row])} values."
            )
        if columns % 8:
            beyond = self.bitmap[:, -1] >> columns % 8
            if bool(beyond.any()):
                row = int(beyond.nonzero()[0])
                raise ValueError(f"{call}: row {row} of bitmap has bits set beyond column {columns - 1}.")

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
        stored = zeros.entries_to_store("Bitmap.from_dense(w)", w, mask)
        values = w.flatten()[stored.flatten().nonzero().squeeze(1)]
        return cls._from_pattern(stored, values, row_scale)

    @classmethod
    def from_csr(cls, a: CSR) -> Self:
        """Return the same stored entries under a bitmap."""
        stored = torch.zeros(a.shape, dtype=torch.bool, device=a.device)
        stored[a.row_indices(), a.col_indices.long()] = True
        return cls._from_pattern(stored, a.values, a.row_scale)

    @classmethod
    def _from_pattern(cls, stored: Tensor, values: Tensor, row_scale: Tensor | None) -> Self:
        invariants.check_count("Bitmap", "values", values.numel())
        bitmap = _packed(stored)
        pointers = coordinates.pointers_from_lengths(_bit_counts(bitmap))
        return cls(bitmap, pointers, values, (stored.shape[0], stored.shape[1]), row_scale)

    def to_csr(self) -> CSR:
        """Return the same stored entries as CSR."""
        columns = self.pattern().nonzero()[:, 1].int()
        return CSR(self.crow_indices, columns, self.values, self.shape, self.row_scale)

    def to_dense(self) -> Tensor:
        """Return the dense (m, k) tensor; float32 for int8 values. Differentiable in ``values``."""
        values = self.scaled_values()
        dense = torch.zeros(self.shape, dtype=values.dtype, device=self.device)
        return dense.masked_scatter(self.pattern(), values)

    def pattern(self) -> Tensor:
        """Return the stored positions as a bool tensor of shape (m, k)."""
        bits = torch.arange(8, dtype=torch.uint8, device=self.device)
        unpacked = (self.bitmap.unsqueeze(2) >> bits) & 1
        return unpacked.flatten(1)[:, : self.shape[1]].bool()

    def spread_rows(self, per_row: Tensor) -> Tensor:
        """Arrange one number per row, shape (m,), so that it broadcasts against ``values``."""
        return per_row[coordinates.repeat_rows(self.row_lengths(), self.nnz)]

    def _line_lengths(self) -> tuple[Tensor, int]:
        return self.crow_indices.diff(), 1

    def _layout(self) -> str:
        return ""


def _packed(stored: Tensor) -> Tensor:
    """Return bool (m, k) as bits, uint8 of shape (m, ceil(k / 8)), first column in the least significant bit."""
    rows, columns = stored.shape
    padded = torch.nn.functional.pad(stored.to(torch.uint8), (0, -columns % 8)).view(
        rows, -(-columns // 8), 8
    )
    bits = torch.arange(8, dtype=torch.uint8, device=stored.device)
    return (padded << bits).sum(dim=2, dtype=torch.uint8)


def _bit_counts(bitmap: Tensor) -> Tensor:
    """Return the number of set bits of each row, by adding neighbouring bits, pairs and nibbles."""
    counts = bitmap - ((bitmap >> 1) & 0x55)
    counts = (counts & 0x33) + ((counts >> 2) & 0x33)
    counts = (counts + (counts >> 4)) & 0x0F
    return counts.sum(dim=1)

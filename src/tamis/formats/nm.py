"""N:M sparsity: exactly n values in every group of m neighbouring columns."""

from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from tamis.formats import coordinates, invariants, zeros
from tamis.formats.csr import CSR
from tamis.formats.matrix import SparseMatrix


@dataclass(frozen=True, eq=False, repr=False)
class NM(SparseMatrix):
    """Sparse (rows, k) matrix with n stored values in each group of m columns of a row.

    Slot s of group g of a row is column ``g * m + indices[row, g * n + s]``. A group with fewer than n entries fills
    its free slots with +0.0 at its lowest free columns, so that every group has n slots and the layout needs no
    pointers. The constructor keeps the tensors it is given (no copy) where they are contiguous, and checks them.

    Parameters
    ----------
    values : Tensor, shape (rows, k * n / m)
        float32, float64, float16, bfloat16, or int8 with ``row_scale``.
    indices : Tensor, shape (rows, k * n / m), uint8
        Column inside the group, in [0, m), strictly ascending inside each group.
    shape : (int, int)
        Rows and columns; the columns are a multiple of m.
    n, m : int
        1 <= n <= m <= 256.
    row_scale : Tensor, shape (rows,), float32, optional
        For int8 values: value = int8 * row_scale[row].

    Raises
    ------
    ValueError, TypeError
        Naming the field and the first bad row and group.

    Examples
    --------
    >>> a = tamis.NM.from_dense(torch.tensor([[0.0, 5.0, 0.0, 7.0]]), n=2, m=4)
    >>> a.values.flatten().tolist()
    [5.0, 7.0]
    """

    values: Tensor
    indices: Tensor
    shape: tuple[int, int]
    n: int
    m: int
    row_scale: Tensor | None = None
    _memo: dict[Any, Any] = field(default_factory=dict, init=False)
    _structure_memo: dict[Any, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        call = "NM(values, indices, shape, n, m)"
        shape = invariants.check_shape(call, self.shape)
        _check_pattern(call, shape, self.n, self.m)
        values = invariants.check_values(call, self.values, 2)
        invariants.check_tensor(call, "indices", self.indices, 2)
        if self.indices.dtype != torch.uint8:
            raise TypeError(
                f"{call}: indices have dtype {self.indices.dtype}; expected uint8, the place in the group."
            )
        row_scale = invariants.check_row_scale(call, values, self.row_scale, shape[0])
        checked = {
            "shape": shape,
            "values": values,
            "indices": self.indices.contiguous(),
            "row_scale": row_scale,
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        invariants.check_devices(call, **self.components())
        self.check()

    def check(self) -> None:
        """Check every invariant again, after tensors may have been changed in place; ValueError names the field."""
        call = "NM(values, indices, shape, n, m)"
        expected = (self.shape[0], self.shape[1] // self.m * self.n)
        for name, tensor in (("values", self.values), ("indices", self.indices)):
            if tensor.shape != expected:
                raise ValueError(
                    f"{call}: {self.n}:{self.m} of shape {self.shape} needs {name} of shape {expected}, "
                    f"but got {tuple(tensor.shape)}."
                )
        if self.indices.is_meta or self.indices.numel() == 0:
            return
        grouped = self._grouped(self.indices)
        outside = (grouped > self.m - 1).any(dim=2)  # m itself, 256 perhaps, is no uint8
        disorder = (grouped[..., 1:] <= grouped[..., :-1]).any(dim=2)
        if bool((outside | disorder).any()):
            row, group = (outside | disorder).nonzero()[0].tolist()
            raise ValueError(
                f"{call}: indices of a group must lie in [0, {self.m}) and ascend strictly, "
                f"but row {row}, group {group} holds {grouped[row, group, :16].tolist()}."
            )

    @classmethod
    def from_dense(
        cls, w: Tensor, n: int, m: int, *, mask: Tensor | None = None, row_scale: Tensor | None = None
    ) -> Self:
        """Store a dense matrix that already has at most n nonzero entries in each group of m columns.

        Parameters
        ----------
        w : Tensor, shape (rows, k)
            float32, float64, float16, bfloat16, or int8 with ``row_scale``. Gradients flow back to ``w``.
        n, m : int
            1 <= n <= m <= 256; m must divide k.
        mask : Tensor, shape (rows, k), bool, optional
            Entries to store whatever their value. Without it NaN is stored, 0.0 and -0.0 are not.
        row_scale : Tensor, shape (rows,), float32, optional

        Raises
        ------
        ValueError
            If a group has more than n entries: choosing which go is pruning, not storing.
        """
        call = "NM.from_dense(w, n, m)"
        stored = zeros.entries_to_store(call, w, mask)
        rows, columns = w.shape
        _check_pattern(call, (rows, columns), n, m)
        grouped = (
            stored.view(rows, columns // m, m)
            if stored.is_contiguous()
            else stored.reshape(rows, columns // m, m)
        )
        slots = _slots(call, grouped, n, m)
        places = slots.flatten().nonzero().squeeze(1)
        values = zeros.with_fill(w, stored).flatten()[places].view(rows, columns // m * n)
        return cls(values, (places % m).to(torch.uint8).view(values.shape), (rows, columns), n, m, row_scale)

    @classmethod
    def from_csr(cls, a: CSR, n: int, m: int) -> Self:
        """Store a CSR matrix that has at most n stored entries in each group of m columns."""
        call = "NM.from_csr(a, n, m)"
        rows, columns = a.shape
        _check_pattern(call, a.shape, n, m)
        places = a.row_indices() * columns + a.col_indices
        stored = torch.zeros(rows * columns, dtype=torch.bool, device=a.device)
        stored[places] = True
        slots = _slots(call, stored.view(rows, columns // m, m), n, m).flatten()
        slot_of_place = slots.cumsum(0) - 1
        empty = torch.zeros(rows * (columns // m) * n, dtype=a.dtype, device=a.device)
        values = empty.index_put((slot_of_place[places],), a.values).view(rows, columns // m * n)
        indices = (slots.nonzero().squeeze(1) % m).to(torch.uint8).view(values.shape)
        return cls(values, indices, a.shape, n, m, a.row_scale)

    def to_csr(self) -> CSR:
        """Return the same matrix as CSR; slots that hold +0.0 are taken for fill and left out."""
        kept = zeros.is_not_fill(self.values).flatten()
        pointers = coordinates.pointers_to_kept(self._slot_pointers(), kept)
        columns = (self._group_starts() + self.indices).flatten()[kept]
        return CSR(pointers, columns, self.values.flatten()[kept], self.shape, self.row_scale)

    def to_dense(self) -> Tensor:
        """Return the dense (rows, k) tensor; float32 for int8 values. Differentiable in ``values``."""
        rows, columns = self.shape
        values = self.scaled_values()
        starts = torch.arange(rows, device=self.device).unsqueeze(1) * columns
        places = starts + self._group_starts() + self.indices
        # Not scatter: on bfloat16 it goes through float32 and rewrites the bits of NaN.
        dense = torch.zeros(rows * columns, dtype=values.dtype, device=self.device)
        return dense.index_put((places,), values).view(rows, columns)

    def _group_starts(self) -> Tensor:
        """Return the first column of the group of each slot, int32 of shape (k * n / m,)."""
        starts = torch.arange(0, self.shape[1], self.m, dtype=torch.int32, device=self.device)
        return starts.repeat_interleave(self.n)

    def _slot_pointers(self) -> Tensor:
        return torch.arange(self.shape[0] + 1, device=self.device) * self.values.shape[1]

    def _grouped(self, slots: Tensor) -> Tensor:
        return slots.view(self.shape[0], self.shape[1] // self.m, self.n)

    def spread_rows(self, per_row: Tensor) -> Tensor:
        """Arrange one number per row, shape (m,), so that it broadcasts against ``values``."""
        return per_row.unsqueeze(1)

    def _line_lengths(self) -> tuple[Tensor, int]:
        line = [self.values.shape[1]] if self.shape[0] else []
        return torch.tensor(line, dtype=torch.int32, device=self.device), self.shape[0]

    def _layout(self) -> str:
        return f", {self.n}:{self.m}"


def _slots(call: str, stored: Tensor, n: int, m: int) -> Tensor:
    """Return the bool pattern (rows, groups, m) with exactly n per group: what is stored, then the lowest free places."""
    counts = stored.sum(dim=2, keepdim=True)
    if bool((counts > n).any()):
        row, group, _ = (counts > n).nonzero()[0].tolist()
        raise ValueError(
            f"{call}: row {row} has {int(counts[row, group])} entries in columns {group * m} to {group * m + m - 1}, "
            f"but {n}:{m} has room for {n}; prune the matrix to {n}:{m} first."
        )
    if bool((counts == n).all()):
        return stored
    free = ~stored
    return stored | (free & (free.cumsum(dim=2, dtype=torch.int16) <= n - counts))


def _check_pattern(call: str, shape: tuple[int, int], n: int, m: int) -> None:
    if not (isinstance(n, int) and isinstance(m, int) and 1 <= n <= m <= 256):
        raise ValueError(f"{call}: n and m must be ints with 1 <= n <= m <= 256, but n={n!r}, m={m!r}.")
    if shape[1] % m:
        raise ValueError(
            f"{call}: groups of {m} columns do not tile a matrix of shape {tuple(shape)}; choose an m that divides "
            f"{shape[1]}, or pad it first: torch.nn.functional.pad(w, (0, {-shape[1] % m}))."
        )

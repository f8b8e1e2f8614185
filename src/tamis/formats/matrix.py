"""What all formats share: sizes, statistics, dtype and device moves, and the memo slots."""

from abc import ABC, abstractmethod
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from tamis.formats.invariants import FLOAT_DTYPES, check_devices, check_values
from tamis.formats.row_statistics import RowStatistics

if TYPE_CHECKING:
    from tamis.formats.csr import CSR


class SparseMatrix(ABC):
    """Interface of the formats. Each is a frozen dataclass of component tensors and overrides nothing defined here.

    Two private slots let other rooms keep what they derived from a matrix; both die with it, and are neither copied,
    pickled nor compared. ``_memo`` belongs to one object. ``_structure_memo`` holds what depends on the indices alone
    (a transposed structure, a row order) and is shared with :meth:`with_values`. Index tensors must not be changed in
    place once a matrix holds them; ``values`` may be.
    """

    values: Tensor
    shape: tuple[int, int]
    row_scale: Tensor | None
    _memo: dict[Any, Any]
    _structure_memo: dict[Any, Any]

    @abstractmethod
    def to_dense(self) -> Tensor:
        """Return the dense (m, k) tensor; float32 for int8 values. Differentiable in ``values``."""

    @abstractmethod
    def check(self) -> None:
        """Check every invariant again, after tensors may have been changed in place; ValueError names the field."""

    @abstractmethod
    def _line_lengths(self) -> tuple[Tensor, int]:
        """Return stored values per row, and how many neighbouring rows each of these numbers stands for."""

    @abstractmethod
    def _layout(self) -> str:
        """Return what the repr says after the shape."""

    @abstractmethod
    def to_csr(self) -> "CSR":
        """Return the same matrix as CSR."""

    @abstractmethod
    def spread_rows(self, per_row: Tensor) -> Tensor:
        """Arrange one number per row, shape (m,), so that it broadcasts against ``values``."""

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the stored values."""
        return self.values.dtype

    @property
    def device(self) -> torch.device:
        """Device of all components."""
        return self.values.device

    @property
    def nnz(self) -> int:
        """Number of stored values, fill and explicit zeros included."""
        return self.values.numel()

    @property
    def density(self) -> float:
        """Stored values divided by m*k (0 for a matrix without entries)."""
        size = self.shape[0] * self.shape[1]
        return self.nnz / size if size else 0.0

    @property
    def sparsity(self) -> float:
        """1 - density."""
        return 1.0 - self.density

    @property
    def nbytes(self) -> int:
        """Bytes of all component tensors."""
        return sum(tensor.nbytes for tensor in self.components().values())

    def components(self) -> dict[str, Tensor]:
        """Return the component tensors by field name, in field order."""
        named = ((field.name, getattr(self, field.name)) for field in fields(self) if field.init)  # type: ignore[arg-type]
        return {name: value for name, value in named if isinstance(value, Tensor)}

    def row_statistics(self) -> RowStatistics:
        """Return minimum, mean, maximum and unevenness of the stored values per row."""
        return RowStatistics.from_lengths(*self._line_lengths())

    def row_lengths(self) -> Tensor:
        """Return the number of stored values of each row, int32 of shape (m,)."""
        lengths, rows_each = self._line_lengths()
        return lengths if rows_each == 1 else lengths.repeat_interleave(rows_each)

    def scaled_values(self) -> Tensor:
        """Return ``values`` as numbers: themselves if float, float32 ``values * row_scale`` if int8."""
        return (
            self.values if self.row_scale is None else self.values.float() * self.spread_rows(self.row_scale)
        )

    def with_values(self, values: Tensor) -> Self:
        """Return a matrix of the same structure with other float values.

        Checks shape, dtype and device only, so it costs nothing in a loop and works under ``torch.compile``.

        Parameters
        ----------
        values : Tensor
            Same shape and device as ``self.values``; any supported float dtype.

        Raises
        ------
        ValueError, TypeError
            If shape, device or dtype do not fit.
        """
        name = type(self).__name__
        call = f"{name}.with_values(values)"
        values = check_values(call, values, self.values.ndim)
        if values.shape != self.values.shape:
            raise ValueError(
                f"{call}: this {name} stores values of shape {tuple(self.values.shape)}, "
                f"but got shape {tuple(values.shape)}."
            )
        if values.dtype not in FLOAT_DTYPES:
            raise TypeError(
                f"{call}: values must be a float tensor, but are {values.dtype}; for int8 see quantize_rows."
            )
        check_devices(call, indices=self.values, values=values)
        return self._replaced(self._structure_memo, values=values, row_scale=None)

    def to(
        self, device: torch.device | torch.dtype | str | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        """Return the matrix on another device, with values of another float dtype, or both.

        int8 values asked for a float dtype are multiplied out (in float32, then rounded).

        Parameters
        ----------
        device : torch.device, str or torch.dtype, optional
            As for ``Tensor.to``, a dtype may stand alone: ``a.to(torch.float16)``.
        dtype : torch.dtype, optional

        Returns
        -------
        The same object if nothing changes.
        """
        if isinstance(device, torch.dtype):
            device, dtype = None, device
        moved = (
            self
            if device is None or torch.device(device) == self.device
            else self._moved(torch.device(device))
        )
        if dtype is None or dtype == self.dtype:
            return moved
        if dtype not in FLOAT_DTYPES:
            raise TypeError(
                f"{type(self).__name__}.to(dtype): cannot hold values as {dtype}; "
                "expected float32, float64, float16 or bfloat16; for int8 see quantize_rows."
            )
        return moved.with_values(moved.scaled_values().to(dtype))

    def __repr__(self) -> str:
        rows, columns = self.shape
        head = f"{type(self).__name__}({rows}x{columns}{self._layout()}, {str(self.dtype).removeprefix('torch.')}"
        size = f"{self.nnz:,} stored = {self.density:.2%} dense, {self.nbytes:,} bytes, {self.device}"
        return f"{head}, {size}{'' if self.device.type == 'meta' else f', {self.row_statistics()}'})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies and pickles are rebuilt, hence checked, by the constructor; memos stay behind.
        return type(self), tuple(getattr(self, field.name) for field in fields(self) if field.init)  # type: ignore[arg-type]

    def _moved(self, device: torch.device) -> Self:
        return self._replaced({}, **{name: tensor.to(device) for name, tensor in self.components().items()})

    def _replaced(self, structure_memo: dict[Any, Any], **changes: Any) -> Self:
        """Return a copy with some components replaced, unchecked: for changes that keep the invariants."""
        other = object.__new__(type(self))
        for field in fields(self):  # type: ignore[arg-type]
            if field.init:
                object.__setattr__(other, field.name, changes.get(field.name, getattr(self, field.name)))
        object.__setattr__(other, "_memo", {})
        object.__setattr__(other, "_structure_memo", structure_memo)
        return other

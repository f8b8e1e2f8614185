"""What every SpMM kernel asks of its operands before their addresses are taken."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Structure(Protocol):
    """A packed matrix (m, k), with as many ``slots`` for values."""

    @property
    def m(self) -> int: ...
    @property
    def k(self) -> int: ...
    @property
    def slots(self) -> int: ...


def check_operands(
    kernel: str, packed: Structure, values: Tensor, row_scale: Tensor | None, b: Tensor, by_rows: bool
) -> None:
    """Refuse values, scales and B of another size than the structure's, and memory that was given back.

    Raises
    ------
    ValueError   naming what came and what the structure needs.
    """
    if values.numel() != packed.slots or not values.is_contiguous():
        raise ValueError(
            f"{kernel}: the packed matrix has {packed.slots} slots, so it needs as many contiguous values, but got shape "
            f"{tuple(values.shape)}, strides {values.stride()}. Were the values replaced or resized?"
        )
    if b.shape[by_rows] != packed.k or (row_scale is not None and row_scale.shape != (packed.m,)):
        scale = "" if row_scale is None else f" and a row_scale of shape {tuple(row_scale.shape)}"
        raise ValueError(
            f"{kernel}: a is {packed.m} x {packed.k}, but came with an operand of shape {tuple(b.shape)}{scale}."
        )
    if (not values.data_ptr() and values.numel()) or (not b.data_ptr() and b.numel()):
        raise ValueError(f"{kernel}: the memory of an operand was given back (its storage has no bytes).")

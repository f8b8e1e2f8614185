"""What every kernel of sparse convolution reads: the pairs (input row, output row) of each offset, as ascending lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

import torch
from torch import Tensor

Reduction = Literal["max", "mean", "sum"]  # of the inputs of an output: pooling
OUTPUT_FIRST, INPUT_FIRST, IDENTITY = 0, 1, 2
GRANULE = 64  # outputs between two cuts: PairLists::granule of csrc/kernels.h


@dataclass(frozen=True, eq=False)
class PairLists:
    """The pairs of every offset of a kernel, as kernels read them.

    Attributes
    ----------
    rows : int
        Of the output.
    first, second : Tensor, shape (stored pairs,), int32
        The two columns of all lists, one list after the other.
    lists : Tensor, shape (kernel_volume, 3), int64, on the CPU
        Row k holds ``start, stop, role``: the pairs of offset k are ``first[start:stop], second[start:stop]``, where role 0
        means (output, input), role 1 means (input, output), and role 2 means "every output j has input j", for which
        nothing is stored.
    cuts : Tensor, shape (kernel_volume, granules + 1) or (kernel_volume, 0), int32
        For blocks of outputs: the position in list k of the first pair whose output is at least ``g * GRANULE``.
    dense_offsets : Tensor, shape (offsets,), int64, on the CPU
        Offsets that a hybrid kernel runs output-stationary.
    """

    rows: int
    first: Tensor
    second: Tensor
    lists: Tensor
    cuts: Tensor
    dense_offsets: Tensor

    @classmethod
    def of(cls, rows: int, first: Tensor, second: Tensor, lists: Tensor) -> Self:
        """Lists that no kernel has cut or split."""
        return cls(rows, first, second, lists, first.new_empty(len(lists), 0), lists.new_empty(0))

    @classmethod
    def from_tensors(cls, tensors: Sequence[Tensor], sizes: Sequence[int]) -> Self:
        """The record that has these :attr:`tensors` and :attr:`sizes`."""
        (rows,), (first, second, lists, cuts, dense_offsets) = sizes, tensors
        return cls(rows, first, second, lists, cuts, dense_offsets)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_tensors, (self.tensors, self.sizes)  # without addresses

    @property
    def tensors(self) -> list[Tensor]:
        """All parts that are tensors, as operators take them."""
        return [self.first, self.second, self.lists, self.cuts, self.dense_offsets]

    @property
    def sizes(self) -> list[int]:
        """All parts that are numbers, as operators take them."""
        return [self.rows]

    @property
    def volume(self) -> int:
        """Number of offsets."""
        return len(self.lists)

    def pairs_of(self, offset: int) -> tuple[Tensor, Tensor]:
        """Input rows and output rows of one offset, each of shape (pairs,), int64."""
        start, stop, role = self.lists[offset].tolist()
        if role == IDENTITY:
            every = torch.arange(self.rows, device=self.first.device)
            return every, every
        a, b = self.first[start:stop].long(), self.second[start:stop].long()
        return (b, a) if role == OUTPUT_FIRST else (a, b)

    def table(self) -> Tensor:
        """All pairs as one table, shape (rows, kernel_volume), int32: the input row, or -1."""
        table = self.first.new_full((self.rows, self.volume), -1)
        for offset in range(self.volume):
            inputs, outputs = self.pairs_of(offset)
            table[outputs, offset] = inputs.to(table.dtype)
        return table

    def only(self, offsets: Sequence[int]) -> Self:
        """The lists of some of the offsets, uncut."""
        return type(self).of(self.rows, self.first, self.second, self.lists[list(offsets)])

    def transposed(self, rows: int) -> Self:
        """The same pairs with inputs and outputs exchanged, uncut; ``rows`` is the number of inputs."""
        swapped = self.lists.clone()
        swapped[:, 2] = self.lists.new_tensor([INPUT_FIRST, OUTPUT_FIRST, IDENTITY])[self.lists[:, 2]]
        return replace(self, rows=rows, lists=swapped, cuts=self.cuts.new_empty(self.volume, 0))

    @cached_property
    def native(self) -> Any:
        """The record of ``csrc/kernels.h``; its addresses are valid as long as this one lives."""
        from tamis.kernels.cpu.native import address, native  # the package of CPU kernels imports this module

        return native().PairLists(
            first=address(self.first),
            second=address(self.second),
            lists=address(self.lists),
            cuts=address(self.cuts),
            volume=self.volume,
            granules=max(self.cuts.shape[1] - 1, 0),
        )


class Epilogue(NamedTuple):
    """What follows the sums: ``act(scale * sums + bias + residual)``.

    Attributes
    ----------
    bias, scale : Tensor, shape (c_out,), optional
    residual : Tensor, shape (rows, c_out), optional
    relu : bool
    """

    bias: Tensor | None = None
    scale: Tensor | None = None
    residual: Tensor | None = None
    relu: bool = False

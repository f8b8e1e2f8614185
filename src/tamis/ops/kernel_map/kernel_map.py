"""The kernel map of a sparse convolution: which input row meets which output row at which offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from tamis.kernels import IDENTITY, PairLists, reference
from tamis.kernels.cpu import block_cuts
from tamis.ops.kernel_map.checks import check_pairs
from tamis.ops.observed import unobserved


@dataclass(frozen=True, eq=False)
class KernelMap:
    """The pairs (input row, output row) of every offset, as lists that ascend in both.

    A pair list serves four convolutions: forward, its transpose, and the gradients of both, because swapping the
    roles of the two columns transposes the map. A submanifold map stores only half of its offsets: the list of
    offset -d is the list of d with its columns swapped, and the centre is the identity and stored not at all.

    Attributes
    ----------
    first, second : Tensor, shape (stored pairs,), int32
        The two columns of all lists, one list after the other.
    lists : Tensor, shape (kernel_volume, 3), int64, on the CPU
        Start, stop and role of each offset's list: role 0 = (output, input), 1 = (input, output), 2 = identity.
    in_rows, out_rows : int
        Rows of the input and of the output features, in the order of their sorted keys.
    offsets : Tensor, shape (kernel_volume, 3), int64
        In cells of the finest grid: in = out + offset.
    out_coords : Tensor, shape (out_rows, 4), int32, optional
    in_order, out_order : Tensor of int64, optional
        The caller's row of each sorted row, where the map was made from unsorted coordinates.
    pair_lists : PairLists
        The pairs as kernels read them, cut for none.
    plans : dict
        What operators decided and packed for calls over this map; dies with it.
    """

    first: Tensor
    second: Tensor
    lists: Tensor
    in_rows: int
    out_rows: int
    offsets: Tensor
    out_coords: Tensor | None = None
    in_order: Tensor | None = None
    out_order: Tensor | None = None
    pair_lists: PairLists = field(init=False, repr=False)
    plans: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        whole = PairLists.of(self.out_rows, self.first, self.second, self.lists)
        object.__setattr__(self, "pair_lists", whole)

    def check(self) -> None:
        """Check the lists again, after tensors may have been changed in place; ValueError names the field."""
        check_pairs(self.first, self.second, self.lists, self.in_rows, self.out_rows)

    @property
    def kernel_volume(self) -> int:
        return len(self.lists)

    @cached_property
    def cuts(self) -> Tensor:
        """Where each offset's list crosses multiples of 64 outputs, shape (kernel_volume, granules + 1), int32; made once."""
        on_cpu = self.first.device.type == "cpu"
        return (block_cuts if on_cpu else reference.block_cuts)(self.pair_lists)

    @cached_property
    def pair_counts(self) -> list[int]:
        """Pairs per offset."""
        with unobserved():
            lists = self.lists.tolist()
        return [self.out_rows if role == IDENTITY else stop - start for start, stop, role in lists]

    @property
    def pairs(self) -> int:
        """All pairs: 2 * pairs * c_in * c_out are the useful FLOPs of a convolution."""
        return sum(self.pair_counts)

    @property
    def nbytes(self) -> int:
        cuts = [self.cuts] if "cuts" in self.__dict__ else []
        return sum(tensor.nbytes for tensor in [self.first, self.second, self.lists, *cuts])

    @cached_property
    def out_in(self) -> Tensor:
        """The map as a table, shape (out_rows, kernel_volume), int32: the input row, or -1. Caller's row order."""
        table = self.pair_lists.table()
        if self.in_order is not None and len(self.in_order):
            table = torch.where(table >= 0, self.in_order.to(torch.int32)[table.clamp(min=0).long()], table)
        return self.in_callers_order(table)

    def in_callers_order(self, rows: Tensor) -> Tensor:
        """Rows of the output, from sorted order to the caller's."""
        if self.out_order is None:
            return rows
        inverse = torch.empty_like(self.out_order)
        inverse[self.out_order] = torch.arange(len(inverse), device=inverse.device)
        return rows[inverse]

    def pairs_of(self, offset: int) -> tuple[Tensor, Tensor]:
        """Input rows and output rows of one offset, shape (pairs,), int64, in sorted row order."""
        return self.pair_lists.pairs_of(offset)

    def density(self) -> list[float]:
        """Share of the outputs that have a neighbour at each offset."""
        return [count / max(self.out_rows, 1) for count in self.pair_counts]

    @property
    def l1_distances(self) -> list[int]:
        """L1 distance of each offset, counted in kernel taps."""
        return l1_distances(self.offsets)

    def density_by_l1(self) -> dict[int, float]:
        """Mean density of the offsets at each L1 distance."""
        return density_by_l1(self.l1_distances, self.pair_counts, self.out_rows)

    def transposed(self) -> KernelMap:
        """The same pairs with inputs and outputs exchanged; shares memory."""
        return replace(
            self,
            lists=self.pair_lists.transposed(self.in_rows).lists,
            in_rows=self.out_rows,
            out_rows=self.in_rows,
            offsets=-self.offsets,
            out_coords=None,
            in_order=self.out_order,
            out_order=self.in_order,
        )


def l1_distances(offsets: Tensor) -> list[int]:
    """L1 distance of each offset, counted in kernel taps."""
    far = torch.iinfo(torch.int64).max
    unit = torch.where(offsets == 0, far, offsets.abs()).amin(0)
    return [int(distance) for distance in (offsets.abs() // unit).sum(1).tolist()]


def density_by_l1(l1_distances: Sequence[int], pair_counts: Sequence[int], rows: int) -> dict[int, float]:
    """Mean share of the outputs that have a neighbour, over the offsets at each L1 distance."""
    classes: dict[int, list[float]] = {}
    for distance, count in zip(l1_distances, pair_counts, strict=True):
        classes.setdefault(distance, []).append(count / max(rows, 1))
    return {distance: sum(shares) / len(shares) for distance, shares in sorted(classes.items())}

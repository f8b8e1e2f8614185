"""Kernel maps: which input row meets which output row at which offset of a sparse convolution."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from tamis.formats.packed_coords import KeyLayout
from tamis.kernels.cpu import kernel_map as cpu
from tamis.kernels.cpu.kernel_map import GRANULE
from tamis.kernels.reference import kernel_map as reference
from tamis.kernels.reference.sparse_conv import IDENTITY, INPUT_FIRST, OUTPUT_FIRST, dense_map, pairs_of

SEARCHES = ("cpu/kernel_map", "reference/kernel_map")


def kernel_offsets(
    kernel_size: Sequence[int], dilation: Sequence[int] = (1, 1, 1), padding: Sequence[int] | None = None
) -> Tensor:
    """Offsets of a kernel in the canonical order: x outermost, z innermost, each ascending.

    Without ``padding`` the kernel is centred: K = 3 is -1, 0, 1; K = 2 is 0, 1; K = 4 is -1, 0, 1, 2, times the
    dilation. With padding p it starts at -p, as in a dense convolution.

    Returns
    -------
    Tensor, shape (kernel_volume, 3), int64, in units of the input's stride.
    """
    axes = []
    for axis, (size, spread) in enumerate(zip(kernel_size, dilation, strict=True)):
        first = -((size - 1) // 2) * spread if padding is None else -padding[axis]
        axes.append([first + tap * spread for tap in range(size)])
    return torch.tensor(list(itertools.product(*axes)), dtype=torch.int64).reshape(-1, 3)


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
    steps : Tensor, shape (kernel_volume, 3), int64
        Offsets in cells of the finest grid: in = out + step.
    out_coords : Tensor, shape (out_rows, 4), int32, optional
    in_order, out_order : Tensor of int64, optional
        The caller's row of each sorted row, where the map was made from unsorted coordinates.
    """

    first: Tensor
    second: Tensor
    lists: Tensor
    in_rows: int
    out_rows: int
    steps: Tensor
    out_coords: Tensor | None = None
    in_order: Tensor | None = None
    out_order: Tensor | None = None
    _kept: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def kernel_volume(self) -> int:
        return len(self.lists)

    @cached_property
    def pair_counts(self) -> list[int]:
        """Pairs per offset."""
        return [
            self.out_rows if role == IDENTITY else stop - start for start, stop, role in self.lists.tolist()
        ]

    @property
    def pairs(self) -> int:
        """All pairs: 2 * pairs * c_in * c_out are the useful FLOPs of a convolution."""
        return sum(self.pair_counts)

    @property
    def nbytes(self) -> int:
        tensors = [self.first, self.second, self.lists, *self._kept.values()]
        return sum(tensor.nbytes for tensor in tensors)

    @cached_property
    def out_in(self) -> Tensor:
        """The map as a table, shape (out_rows, kernel_volume), int32: the input row, or -1. Caller's row order."""
        table = dense_map(self.first, self.second, self.lists, self.out_rows)
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
        return pairs_of(self.first, self.second, self.lists, offset, self.out_rows)

    def density(self) -> list[float]:
        """Share of the outputs that have a neighbour at each offset."""
        return [count / max(self.out_rows, 1) for count in self.pair_counts]

    def l1_distances(self) -> list[int]:
        """L1 distance of each offset, counted in kernel taps."""
        far = torch.iinfo(torch.int64).max
        unit = torch.where(self.steps == 0, far, self.steps.abs()).amin(0)
        return [int(distance) for distance in (self.steps.abs() // unit).sum(1).tolist()]

    def density_by_l1(self) -> dict[int, float]:
        """Mean density of the offsets at each L1 distance."""
        classes: dict[int, list[float]] = {}
        for distance, share in zip(self.l1_distances(), self.density(), strict=True):
            classes.setdefault(distance, []).append(share)
        return {distance: sum(shares) / len(shares) for distance, shares in sorted(classes.items())}

    def transposed(self) -> KernelMap:
        """The same pairs with inputs and outputs exchanged; shares memory."""
        return replace(
            self,
            lists=transposed_lists(self.lists),
            in_rows=self.out_rows,
            out_rows=self.in_rows,
            steps=-self.steps,
            out_coords=None,
            in_order=self.out_order,
            out_order=self.in_order,
            _kept={},
        )

    @property
    def cuts(self) -> Tensor:
        """Where each offset's list crosses multiples of GRANULE outputs; made once, see :func:`block_cuts`."""
        if "cuts" not in self._kept:
            self._kept["cuts"] = block_cuts(self.first, self.second, self.lists, self.out_rows)
        return self._kept["cuts"]


def transposed_lists(lists: Tensor) -> Tensor:
    """``lists`` with the roles of the two columns exchanged."""
    swapped = lists.clone()
    swapped[:, 2] = torch.tensor([INPUT_FIRST, OUTPUT_FIRST, IDENTITY])[lists[:, 2]]
    return swapped


def block_cuts(first: Tensor, second: Tensor, lists: Tensor, rows: int) -> Tensor:
    """For each offset the position, from its list's start, of the first pair whose output is >= g * GRANULE.

    Returns
    -------
    Tensor, shape (kernel_volume, ceil(rows / GRANULE) + 1), int32.
    """
    if first.device.type == "cpu":
        return cpu.block_cuts(first, second, lists, rows)
    return reference.block_cuts(first, second, lists, rows, GRANULE)


def search_name(device: torch.device, kernel: str | None) -> str:
    """The search that serves ``device``, or the one the caller names."""
    name = kernel or f"{device.type}/kernel_map"
    if name not in SEARCHES:
        raise NotImplementedError(
            f"kernel_map(kernel={kernel!r}) on {device}: no such search. There are {', '.join(SEARCHES)}; the last one "
            f"runs on any device, but only when it is named."
        )
    return name


def build_map(
    source_keys: Tensor,
    target_keys: Tensor,
    layout: KeyLayout,
    steps: Tensor,
    *,
    unit_z: int = 1,
    submanifold: bool = False,
    kernel: str | None = None,
) -> KernelMap:
    """Search all neighbours ``target + step`` among the sources.

    Parameters
    ----------
    source_keys, target_keys : Tensor, shapes (N,) and (M,)
        Sorted, distinct keys of one layout, whose guard covers ``steps``.
    steps : Tensor, shape (kernel_volume, 3), int64
        In cells of the finest grid, canonical order.
    unit_z : int
        Spacing of the sources along z.
    submanifold : bool
        Sources and targets are the same rows. With an odd kernel only half of the offsets are searched then;
        told by the caller, because equal counts prove nothing.
    """
    name = search_name(source_keys.device, kernel)
    if max(len(source_keys), len(target_keys)) >= 2**31:
        raise ValueError(
            f"kernel_map: {len(source_keys)} voxels in, {len(target_keys)} out, but row numbers are int32. Split the scene."
        )
    volume = len(steps)
    mirrored = submanifold and bool((steps + steps.flip(0) == 0).all())
    searched = steps[: volume // 2] if mirrored else steps
    keys = [layout.offset_key(*step) for step in searched.tolist()]
    if name == "cpu/kernel_map":
        taps, step = _column(steps)
        spaced = step <= unit_z
        first, second, counts = cpu.search(source_keys, target_keys, keys, taps, step, spaced)
    else:
        first, second, counts = reference.search(source_keys, target_keys, keys)
    stops = list(itertools.accumulate(counts))
    spans = [[stop - count, stop, OUTPUT_FIRST] for stop, count in zip(stops, counts, strict=True)]
    if mirrored:
        other_half = [[start, stop, INPUT_FIRST] for start, stop, _ in reversed(spans)]
        spans = [*spans, *([[0, 0, IDENTITY]] if volume % 2 else []), *other_half]
    lists = torch.tensor(spans, dtype=torch.int64).reshape(volume, 3)
    return KernelMap(first, second, lists, len(source_keys), len(target_keys), steps)


def _column(steps: Tensor) -> tuple[int, int]:
    """Taps of one kernel column (equal dx, dy) and their distance along z."""
    taps = int((steps[:, :2] == steps[0, :2]).all(1).sum())
    return taps, int(steps[1, 2] - steps[0, 2]) if taps > 1 else 1

"""Coordinates as sorted keys: packed and sorted once per scan, and kept by the tensor that holds the coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from tamis.formats.packed_coords import KeyLayout, choose_layout, pack, unpack

ANEW, STALE = -1, -2  # versions of no tensor: of keys on their way into a copy


@dataclass(frozen=True, eq=False)
class SortedKeys:
    """Distinct coordinates as one integer each, in ascending order.

    Attributes
    ----------
    keys : Tensor, shape (N,), int32 or int64
    layout : KeyLayout
        How a key holds batch, x, y, z.
    order : Tensor, shape (N,), int64, or None
        The caller's row of each key; None where the caller's rows are in ascending order themselves.
    version : int
        Of the coordinates they were made from, see :func:`version_of`.
    """

    keys: Tensor
    layout: KeyLayout
    order: Tensor | None
    version: int

    @classmethod
    def of(
        cls, coords: Tensor, *, guard: Sequence[int] = (1, 1, 1), lattice: Sequence[int] = (1, 1, 1)
    ) -> SortedKeys:
        """Pack and sort coordinates, shape (N, 4), int32; ``guard`` and ``lattice`` as in ``choose_layout``.

        Raises
        ------
        ValueError
            If coordinates are duplicated, or too far apart for a key.
        """
        layout = choose_layout(coords, guard=guard, lattice=lattice)
        keys, order = sort_keys(pack(coords, layout))
        return cls(keys, layout, order, version_of(coords))

    def describes(self, coords: Tensor) -> bool:
        """False if the coordinates they were made from have been changed in place since."""
        return self.version == version_of(coords)

    def with_room(self, coords: Tensor, guard: Sequence[int], lattice: Sequence[int]) -> SortedKeys:
        """The same keys in a layout with so much room around ``coords``; their order stays, so nothing is sorted."""
        layout = choose_layout(coords, guard=guard, lattice=lattice)
        return replace(self, keys=pack(unpack(self.keys, self.layout), layout), layout=layout)

    def to(self, coords: Tensor) -> SortedKeys:
        """The same keys for a copy of the coordinates, on its device."""
        order = None if self.order is None else self.order.to(coords.device)
        return SortedKeys(self.keys.to(coords.device), self.layout, order, version_of(coords))


def sort_keys(keys: Tensor) -> tuple[Tensor, Tensor | None]:
    """Sorted keys and the row each came from; None instead of the rows if they are sorted already."""
    if len(keys) < 2 or bool((keys[1:] > keys[:-1]).all()):
        return keys, None
    ascending, order = keys.sort()
    twice = int((ascending[1:] == ascending[:-1]).sum())
    if twice:
        raise ValueError(
            f"voxel.plan(network, coords): {twice} of {len(keys)} coordinates are duplicates, and a voxel can have "
            f'only one row. Merge them: voxelize(points, ..., reduce="mean"), or voxel.merge_duplicates(x, "mean") for a '
            f'VoxelTensor x, voxel.merge_duplicates(coords, feats, "mean") for bare coordinates.'
        )
    return ascending, order


def version_of(coords: Tensor) -> int:
    """A number that changes whenever the tensor is changed in place; always 0 for those made in inference mode."""
    return 0 if coords.is_inference() else coords._version

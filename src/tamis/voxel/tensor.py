"""A set of voxels with features: what flows through a voxel network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._pytree import GetAttrKey, register_pytree_node

from tamis.formats.packed_coords import Triple, check_coords
from tamis.ops import unobserved
from tamis.voxel.sorted_keys import SortedKeys, version_of

if TYPE_CHECKING:
    from tamis.voxel.coordinate_manager import CoordinateManager


# A dataclass for others' eyes: DistributedDataParallel and the like look for tensors in the fields of what a network returns.
@dataclass(init=False, eq=False, repr=False)
class VoxelTensor:
    """Voxel coordinates and one row of features for each.

    Parameters
    ----------
    coords : Tensor, shape (N, 4), int32
        Columns batch, x, y, z in cells of the finest grid; multiples of ``stride``; distinct; any order.
    feats : Tensor, shape (N, C)
        Row j belongs to ``coords[j]``.
    stride : (int, int, int)
        Spacing of the coordinates.
    batch_size : int, optional
        Number of scenes; default is the largest batch index + 1. Give it when the last scenes may be empty.
    row_of_point : Tensor, shape (P,), int64, optional
        The row of the voxel that each point fell into, from :func:`tamis.voxel.voxelize`: ``y.feats[x.row_of_point]`` are
        the features at the points, for any ``y`` over the same voxels.
    sorted_keys : SortedKeys, optional
        The same coordinates packed and sorted, where the caller has them already; plans use them.

    Raises
    ------
    ValueError
        If shapes, dtypes or devices do not fit together, or a batch index is negative or not below ``batch_size``.
    """

    feats: Tensor

    def __init__(
        self,
        coords: Tensor,
        feats: Tensor,
        stride: Sequence[int] = (1, 1, 1),
        batch_size: int | None = None,
        *,
        row_of_point: Tensor | None = None,
        sorted_keys: SortedKeys | None = None,
    ) -> None:
        _check(coords, feats)
        if len(stride) != 3 or not all(isinstance(step, Integral) for step in stride):
            raise ValueError(f"VoxelTensor(stride={stride!r}): expected three whole numbers.")
        self._coords: Tensor | None = coords
        self._stride: Triple = (int(stride[0]), int(stride[1]), int(stride[2]))
        self._batch_size = (
            None if batch_size is None else check_batch_size("VoxelTensor(coords, feats)", coords, batch_size)
        )
        self._sorted_keys = sorted_keys
        self.feats = feats
        self.row_of_point = row_of_point
        self.manager: CoordinateManager | None = None
        self.level = 0

    @classmethod
    def of_plan(
        cls,
        coords: Tensor,
        feats: Tensor,
        stride: Triple,
        batch_size: int,
        sorted_keys: SortedKeys | None,
    ) -> VoxelTensor:
        """A tensor that leaves a network run, whose coordinates a plan has checked already."""
        left = cls.__new__(cls)
        left._coords, left._stride, left._batch_size = coords, stride, batch_size
        left._sorted_keys, left.row_of_point = sorted_keys, None
        left.feats, left.manager, left.level = feats, None, 0
        return left

    @classmethod
    def within(cls, manager: CoordinateManager, level: int, feats: Tensor) -> VoxelTensor:
        """A tensor inside a network run: its coordinates are the manager's, made when somebody asks for them."""
        inside = cls.__new__(cls)
        inside._coords = inside._batch_size = inside._sorted_keys = inside.row_of_point = None
        inside.feats, inside.manager, inside.level = feats, manager, level
        return inside

    @property
    def coords(self) -> Tensor:
        """Shape (N, 4), int32."""
        if self._coords is None:
            self._coords = self._managed().coords_of(self.level)
        return self._coords

    @property
    def stride(self) -> Triple:
        """Spacing of the coordinates, in cells of the finest grid."""
        return self._stride if self.manager is None else self.manager.stride_of(self.level)

    @property
    def batch_size(self) -> int:
        """Number of scenes."""
        if self.manager is not None:
            return self.manager.batch_size
        if self._batch_size is None:
            self._batch_size = int(self.coords[:, 0].max()) + 1 if len(self.coords) else 0
        return self._batch_size

    @property
    def channels(self) -> int:
        return self.feats.shape[1]

    def __len__(self) -> int:
        return len(self.feats)

    def __repr__(self) -> str:
        kind = f"{self.feats.dtype}, {self.feats.device}"
        return f"VoxelTensor({len(self)} voxels of stride {self.stride}, {self.channels} channels, {kind})"

    def sorted_keys(self, guard: Sequence[int] = (1, 1, 1), lattice: Sequence[int] = (1, 1, 1)) -> SortedKeys:
        """The coordinates packed and sorted, with at least so much room around them; kept until coordinates change.

        Parameters
        ----------
        guard, lattice
            As in :func:`tamis.voxel.choose_layout`.
        """
        kept = self._sorted_keys
        with unobserved():
            if kept is None or not kept.describes(self.coords):
                kept = SortedKeys.of(self.coords, guard=guard, lattice=lattice)
            elif not kept.layout.serves(guard, lattice):
                kept = kept.with_room(self.coords, guard, lattice)
        self._sorted_keys = kept
        return kept

    def with_feats(self, feats: Tensor) -> VoxelTensor:
        """The same voxels with other features."""
        if len(feats) != len(self.feats):
            raise ValueError(
                f"VoxelTensor.with_feats(feats): {len(self.feats)} voxels, but feats has shape {tuple(feats.shape)}."
            )
        if feats.ndim != 2 or feats.device != self.feats.device:
            _check(self.coords, feats)  # tells what does not fit
        other = VoxelTensor.__new__(VoxelTensor)
        other.__dict__.update(self.__dict__)
        other.feats = feats
        return other

    def to(self, *args: Any, **kwargs: Any) -> VoxelTensor:
        """Move to a device, features also to a dtype; arguments as in ``torch.Tensor.to``."""
        feats = self.feats.to(*args, **kwargs)
        coords, keys, rows = self.coords.to(feats.device), self._sorted_keys, self.row_of_point
        if keys is not None and not keys.describes(self.coords):
            keys = None
        return VoxelTensor(
            coords,
            feats,
            self.stride,
            self.batch_size if self.manager is not None else self._batch_size,
            row_of_point=None if rows is None else rows.to(feats.device),
            sorted_keys=None if keys is None else keys.to(coords),
        )

    def __add__(self, other: VoxelTensor) -> VoxelTensor:
        """Sum of features over the same voxels."""
        check_same_voxels("x + y", self, other)
        return self.with_feats(self.feats + other.feats)

    def __getstate__(self) -> dict[str, Any]:
        keys, state = self._sorted_keys, dict(self.__dict__)
        if keys is not None and not keys.describes(self.coords):
            state["_sorted_keys"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._sorted_keys is not None:  # a copy of the coordinates counts its changes anew
            self._sorted_keys = replace(self._sorted_keys, version=version_of(self.coords))

    def _managed(self) -> CoordinateManager:
        if self.manager is None:
            raise RuntimeError("VoxelTensor: neither coordinates nor a coordinate manager.")
        return self.manager


def concat(*tensors: VoxelTensor) -> VoxelTensor:
    """Put the channels of tensors over the same voxels side by side."""
    for other in tensors[1:]:
        check_same_voxels("concat(x, y)", tensors[0], other)
    return tensors[0].with_feats(torch.cat([tensor.feats for tensor in tensors], 1))


def check_same_voxels(call: str, x: VoxelTensor, y: VoxelTensor) -> None:
    """Raise unless row j of both tensors is the same voxel."""
    if x.manager is not None and y.manager is not None:
        same = x.manager is y.manager and x.level == y.level
    else:
        same = x.stride == y.stride and (x.coords is y.coords or torch.equal(x.coords, y.coords))
    if not same:
        raise ValueError(
            f"{call}: the operands hold different voxels: {len(x)} of stride {x.stride} and {len(y)} of stride "
            f"{y.stride}. Both must come from the same level of one network run; bring a coarser one up with "
            f"SparseConvTranspose3d first."
        )


def check_batch_size(call: str, coords: Tensor, batch_size: int) -> int:
    """``batch_size``, if every scene of ``coords`` is below it."""
    if torch.compiler.is_compiling():  # no numbers yet; a plan compares its coordinates at every run
        return batch_size
    needed = int(coords[:, 0].max()) + 1 if len(coords) else 0
    if batch_size < needed:
        raise ValueError(
            f"{call}: batch_size={batch_size}, but coords[:, 0] goes up to {needed - 1}: at least {needed} scenes."
        )
    return batch_size


def _check(coords: Tensor, feats: Tensor) -> None:
    check_coords("VoxelTensor(coords, feats)", coords)
    if not isinstance(feats, Tensor) or feats.layout != torch.strided:
        kind = f"of layout {feats.layout}" if isinstance(feats, Tensor) else type(feats).__name__
        raise TypeError(f"VoxelTensor(coords, feats): feats is {kind}, expected a dense tensor.")
    if feats.ndim != 2 or len(feats) != len(coords):
        raise ValueError(
            f"VoxelTensor(coords, feats): coords has {len(coords)} rows, so feats needs shape "
            f"({len(coords)}, channels), but has {tuple(feats.shape)}."
        )
    if feats.device != coords.device:
        raise ValueError(
            f"VoxelTensor(coords, feats): coords is on {coords.device}, feats on {feats.device}. "
            f"Move one of them, or call .to(device) on the VoxelTensor."
        )


def _parts(x: VoxelTensor) -> tuple[list[Tensor], tuple[Triple, int]]:
    return [x.coords, x.feats], (x.stride, x.batch_size)


def _parts_by_name(x: VoxelTensor) -> tuple[list[tuple[Any, Tensor]], tuple[Triple, int]]:
    (coords, feats), rest = _parts(x)
    return [(GetAttrKey("coords"), coords), (GetAttrKey("feats"), feats)], rest


def _from_parts(parts: Iterable[Any], rest: tuple[Triple, int]) -> VoxelTensor:
    coords, feats = parts
    (x, y, z), batch_size = rest
    return VoxelTensor.of_plan(coords, feats, (x, y, z), batch_size, None)


# So that torch.export takes a VoxelTensor for what a network is called with, and what it returns.
register_pytree_node(
    VoxelTensor,
    _parts,
    _from_parts,
    serialized_type_name="tamis.voxel.VoxelTensor",
    to_dumpable_context=list,
    from_dumpable_context=tuple,
    flatten_with_keys_fn=_parts_by_name,
)

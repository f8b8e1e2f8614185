"""A set of voxels with features: what flows through a voxel network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tamis.formats.packed_coords import Triple, check_coords

if TYPE_CHECKING:
    from tamis.voxel.place import Place


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

    Raises
    ------
    ValueError
        If shapes, dtypes or devices do not fit together.
    """

    def __init__(
        self,
        coords: Tensor,
        feats: Tensor,
        stride: Sequence[int] = (1, 1, 1),
        batch_size: int | None = None,
    ) -> None:
        _check(coords, feats)
        self._coords: Tensor | None = coords
        self._batch_size = batch_size
        self.feats = feats
        self.stride: Triple = (int(stride[0]), int(stride[1]), int(stride[2]))
        self.place: Place | None = None

    @classmethod
    def at(cls, place: Place, feats: Tensor) -> VoxelTensor:
        """A tensor inside a network run: its coordinates are the plan's, made when somebody asks for them."""
        inside = cls.__new__(cls)
        inside._coords = inside._batch_size = None
        inside.feats, inside.stride, inside.place = feats, place.stride, place
        return inside

    @property
    def coords(self) -> Tensor:
        """Shape (N, 4), int32."""
        if self._coords is None:
            assert self.place is not None  # `at` sets it
            self._coords = self.place.coords()
        return self._coords

    @property
    def batch_size(self) -> int:
        """Number of scenes."""
        if self.place is not None:
            return self.place.batch_size()
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

    def with_feats(self, feats: Tensor) -> VoxelTensor:
        """The same voxels with other features."""
        if len(feats) != len(self.feats):
            raise ValueError(
                f"VoxelTensor.with_feats(feats): {len(self.feats)} voxels, but feats has shape {tuple(feats.shape)}."
            )
        if self.place is not None:
            return VoxelTensor.at(self.place, feats)
        return VoxelTensor(self.coords, feats, self.stride, self._batch_size)

    def to(self, *args: Any, **kwargs: Any) -> VoxelTensor:
        """Move to a device, features also to a dtype; arguments as in ``torch.Tensor.to``."""
        feats = self.feats.to(*args, **kwargs)
        return VoxelTensor(self.coords.to(feats.device), feats, self.stride, self._batch_size)

    def __add__(self, other: VoxelTensor) -> VoxelTensor:
        """Sum of features over the same voxels."""
        check_same_voxels("x + y", self, other)
        return self.with_feats(self.feats + other.feats)


def concat(*tensors: VoxelTensor) -> VoxelTensor:
    """Put the channels of tensors over the same voxels side by side."""
    for other in tensors[1:]:
        check_same_voxels("concat(x, y)", tensors[0], other)
    return tensors[0].with_feats(torch.cat([tensor.feats for tensor in tensors], 1))


def check_same_voxels(call: str, x: VoxelTensor, y: VoxelTensor) -> None:
    """Raise unless row j of both tensors is the same voxel."""
    if x.place is not None and y.place is not None:
        same = x.place == y.place
    else:
        same = x.stride == y.stride and (x.coords is y.coords or torch.equal(x.coords, y.coords))
    if not same:
        raise ValueError(
            f"{call}: the operands hold different voxels: {len(x)} of stride {x.stride} and {len(y)} of stride "
            f"{y.stride}. Both must come from the same level of one network run; bring a coarser one up with "
            f"SparseConvTranspose3d first."
        )


def _check(coords: Tensor, feats: Tensor) -> None:
    check_coords("VoxelTensor(coords, feats)", coords)
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

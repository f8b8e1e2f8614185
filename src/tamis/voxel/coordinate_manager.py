"""What a layer asks while a network runs: the kernel map of its convolution, and the coordinates of its level."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from tamis.formats.packed_coords import Triple
from tamis.ops.kernel_map import KernelMap
from tamis.ops.sparse_conv import Dataflow
from tamis.voxel.map_specs import KernelMapSpec


class CoordinateManager(Protocol):
    """Owns the coordinates and kernel maps of one network run, by level.

    A :class:`tamis.voxel.Plan` holds them ready; :class:`tamis.voxel.RequiredMaps` only writes down which ones are asked for.

    Attributes
    ----------
    dataflow : Dataflow or None
        How every convolution is to run; None leaves it to the operator.
    batch_size : int
        Number of scenes.
    """

    dataflow: Dataflow | None
    batch_size: int

    def kernel_map(
        self, level: int, spec: KernelMapSpec, layer: tuple[str, int, int, int]
    ) -> tuple[KernelMap, int]:
        """The kernel map that ``spec`` means at ``level``, and the level of the outputs.

        ``layer`` is kind, input channels, output channels and groups, for the record.
        """

    def coords_of(self, level: int) -> Tensor:
        """Coordinates of a level, shape (rows, 4), int32."""

    def batch_rows(self, level: int) -> Tensor:
        """Batch index of each row of a level, shape (rows,), int64."""

    def stride_of(self, level: int) -> Triple:
        """Spacing of a level's coordinates, in cells of the finest grid."""

"""Where a tensor stands while a network runs: who leads it, and at which level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from tamis.formats.packed_coords import Triple
from tamis.ops.kernel_map import KernelMap
from tamis.ops.sparse_conv import Dataflow
from tamis.voxel.requests import MapSpec


class Guide(Protocol):
    """What leads a tensor through a network: a plan, or the tracer."""

    dataflow: Dataflow | None
    batch_size: int

    def follow(self, level: int, spec: MapSpec, layer: tuple[str, int, int]) -> tuple[KernelMap, int]:
        """The map that ``spec`` means at ``level``, and the level of the result."""

    def coords_of(self, level: int) -> Tensor:
        """Coordinates of a level, shape (rows, 4), int32."""

    def batch_rows(self, level: int) -> Tensor:
        """Batch index of each row of a level, int64."""

    def stride_of(self, level: int) -> Triple:
        """Stride of a level."""


@dataclass(frozen=True)
class Place:
    """Where a tensor stands inside a network run: its guide and the level of its voxels."""

    guide: Guide
    level: int

    @property
    def stride(self) -> Triple:
        return self.guide.stride_of(self.level)

    def coords(self) -> Tensor:
        return self.guide.coords_of(self.level)

    def batch_rows(self) -> Tensor:
        return self.guide.batch_rows(self.level)

    def batch_size(self) -> int:
        return self.guide.batch_size

    def follow(self, spec: MapSpec, layer: tuple[str, int, int]) -> tuple[KernelMap, Place]:
        """The map that ``spec`` means here, and the place of the result; ``layer`` is kind, c_in, c_out."""
        kernel_map, level = self.guide.follow(self.level, spec, layer)
        return kernel_map, Place(self.guide, level)

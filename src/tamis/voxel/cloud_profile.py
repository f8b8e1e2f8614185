"""What a point cloud looks like to a sparse convolution: voxels, extents, pyramid, neighbour densities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from tamis.voxel.neighbours import kernel_map
from tamis.voxel.networks import MinkUNet34
from tamis.voxel.planning import Plan, plan
from tamis.voxel.voxelization import voxelize


@dataclass(frozen=True)
class LevelProfile:
    """One level of the pyramid.

    ``density`` holds, for a submanifold kernel of size 3, the mean share of voxels that have the neighbour, by L1
    distance 0 to 3.
    """

    stride: int
    voxels: int
    pairs: int
    density: dict[int, float]


@dataclass(frozen=True)
class CloudProfile:
    """A cloud at one voxel size. ``extent_cells`` counts cells from the lowest to the highest occupied one."""

    points: int
    voxel_size_m: tuple[float, float, float]
    extent_m: tuple[float, float, float]
    extent_cells: tuple[int, int, int]
    levels: tuple[LevelProfile, ...]
    network_plan: Plan

    def __str__(self) -> str:
        metres, cells = (
            " x ".join(f"{v:.4g}" for v in values) for values in (self.extent_m, self.extent_cells)
        )
        size = " x ".join(f"{v:g}" for v in self.voxel_size_m)
        lines = [
            f"{self.points} points in {self.levels[0].voxels} voxels of {size} m",
            f"extent {metres} m, {cells} cells",
            "stride   voxels  neighbours  density at L1 distance 1, 2, 3",
        ]
        for level in self.levels:
            shares = "  ".join(f"{level.density[distance]:.3f}" for distance in (1, 2, 3))
            lines.append(f"{level.stride:6d} {level.voxels:8d}  {level.pairs / level.voxels:10.2f}  {shares}")
        return "\n".join(lines)


def profile(points: Tensor, voxel_size_m: float | Sequence[float], *, levels: int = 5) -> CloudProfile:
    """Measure a cloud.

    Parameters
    ----------
    points : Tensor, shape (N, 3)
        Metres; at least one point.
    voxel_size_m : float or three floats
    levels : int
        Levels of the pyramid; the stride doubles from each to the next.

    Returns
    -------
    CloudProfile
        ``network_plan`` is the plan of a MinkUNet34 over the cloud: ``print(profile.network_plan)`` tells which
        dataflow each layer would run.

    Raises
    ------
    ValueError
        If there are no points, or they are not finite.
    """
    if len(points) == 0:
        raise ValueError("profile(points): there are no points.")
    sizes = (voxel_size_m,) * 3 if isinstance(voxel_size_m, int | float) else tuple(voxel_size_m)
    voxels = voxelize(points, sizes)
    finest = voxels.coords
    cells = (finest[:, 1:].amax(0) - finest[:, 1:].amin(0) + 1).tolist()
    extent = (points.amax(0) - points.amin(0)).tolist()
    pyramid, coords = [], finest
    for level in range(levels):
        stride = 2**level
        if level:
            coarser = kernel_map(coords, 2, 2, tensor_stride=stride // 2).out_coords
            assert coarser is not None  # `kernel_map` always gives them
            coords = coarser
        found = kernel_map(coords, 3, tensor_stride=stride)
        pyramid.append(LevelProfile(stride, len(coords), found.pairs, found.density_by_l1()))
    return CloudProfile(
        len(points),
        (float(sizes[0]), float(sizes[1]), float(sizes[2])),
        (extent[0], extent[1], extent[2]),
        (cells[0], cells[1], cells[2]),
        tuple(pyramid),
        plan(MinkUNet34(1), voxels),
    )

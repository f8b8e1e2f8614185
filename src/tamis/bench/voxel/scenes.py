"""The scenes of the voxel suite, as raw int32 coordinates in an order that helps nobody."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tamis.voxel import scenes, voxelize

_MAKERS: dict[str, Callable[[], Tensor]] = {
    "ellipsoid": lambda: _cells(scenes.ellipsoid(), 1.0),
    "street_0.05": lambda: _cells(scenes.lidar_street(3, "hdl64", "canyon"), 0.05),
    "street_0.10": lambda: _cells(scenes.lidar_street(3, "hdl64", "canyon"), 0.10),
    "suburb_waymo": lambda: _cells(scenes.lidar_street(3, "waymo_top", "suburb"), (0.1, 0.1, 0.15)),
    "room_0.02": lambda: _cells(scenes.room(1), 0.02),
    "hall_0.02": lambda: _cells(scenes.room(0, "hall"), 0.02),
    "random_1e4": lambda: _cells(scenes.uniform_random(0, 10_000), 1.0),
    "random_1e5": lambda: _cells(scenes.uniform_random(0, 100_000), 1.0),
    "random_1e6": lambda: _cells(scenes.uniform_random(0, 1_000_000), 1.0),
    "random_2e6": lambda: _cells(scenes.uniform_random(0, 2_000_000, 254), 1.0),
    "cube_125k": lambda: _cube(125_000),
    "cube_500k": lambda: _cube(500_000),
    "cube_2M": lambda: _cube(2_000_000),
    "object": lambda: _cells(scenes.solid_object(1, 64), 1.0),
}


def coordinates(name: str) -> Tensor:
    """Shape (N, 4), int32: distinct voxels of a scene, shuffled with a fixed seed."""
    coords = _MAKERS[name]()
    return coords[torch.randperm(len(coords), generator=torch.Generator().manual_seed(0))].contiguous()


def frame(number: int, voxel_size_m: float) -> Tensor:
    """Coordinates of one frame of a drive: every frame is another street."""
    street = scenes.lidar_street(number, "hdl64", "canyon" if number % 2 else "suburb")
    coords = _cells(street, voxel_size_m)
    return coords[torch.randperm(len(coords), generator=torch.Generator().manual_seed(number))].contiguous()


def _cube(voxels: int) -> Tensor:
    """One cell in eight taken, whatever the number: what a voxel meets does not change with it."""
    return _cells(scenes.uniform_random(0, voxels, round((8 * voxels) ** (1 / 3))), 1.0)


def _cells(scene: scenes.Scene, voxel_size_m: float | tuple[float, float, float]) -> Tensor:
    return voxelize(scene.points, voxel_size_m).coords

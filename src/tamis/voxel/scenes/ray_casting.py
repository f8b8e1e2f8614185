"""Casts all rays of one lidar turn against a list of shapes.

The rays form a grid (azimuth, beam). A shape only meets the rays inside its angular window, so each shape
updates one small rectangle of the depth grid: about 400 shapes and 133,000 rays take a few tenths of a second.
"""

from dataclasses import dataclass
from math import atan2, pi

import numpy as np
import numpy.typing as npt

from tamis.voxel.scenes.sensors import Sensor
from tamis.voxel.scenes.shapes import Eye, FloatArray, Rays, Shape


@dataclass(frozen=True)
class RayGrid:
    """Unit directions, each of shape (azimuths, beams), and the nominal angles (radians, both rising)."""

    directions: Rays
    azimuths: FloatArray
    elevations: FloatArray
    margin: float  # radians: how far a ray may point beside its nominal angle

    @classmethod
    def of(cls, sensor: Sensor, rng: np.random.Generator) -> "RayGrid":
        """One turn of ``sensor``, every ray shaken by the sensor's angular noise."""
        azimuths = -pi + 2 * pi * (np.arange(sensor.azimuth_steps) + 0.5) / sensor.azimuth_steps
        elevations = np.radians(sensor.elevations_deg)
        shape = (azimuths.size, elevations.size)
        shake = np.clip(rng.standard_normal((2, *shape)), -4, 4) * sensor.angle_sigma_rad
        azimuth, elevation = azimuths[:, None] + shake[0], elevations[None, :] + shake[1]
        level = np.cos(elevation)
        directions = (level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation))
        return cls(directions, azimuths, elevations, margin=5 * sensor.angle_sigma_rad + 1e-6)


def cast(
    shapes: list[Shape], eye: Eye, grid: RayGrid, reach: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, npt.NDArray[np.int32]]:
    """The nearest shape that each ray meets.

    Parameters
    ----------
    shapes : list of Shape
    eye : (x, y, z) of the sensor, metres
    grid : RayGrid
    reach : array, shape (azimuths, beams)
        Distance beyond which nothing is seen (the ground, or the range of the sensor).

    Returns
    -------
    distance : array, shape (azimuths, beams), metres; ``reach`` where no shape is nearer
    index : int32 array of the same shape; position in ``shapes``, or -1
    """
    distance = reach.copy()
    index = np.full(reach.shape, -1, np.int32)
    for number, shape in enumerate(shapes):
        beams = _beams(shape, eye, grid)
        for columns in _columns(shape, eye, grid):
            window = (columns, beams)
            if distance[window].size == 0:
                continue
            dx, dy, dz = grid.directions
            met = shape.meet(eye, (dx[window], dy[window], dz[window]), rng)
            nearer = met < distance[window]
            np.copyto(distance[window], met, where=nearer)
            index[window][nearer] = number
    return distance, index


def _beams(shape: Shape, eye: Eye, grid: RayGrid) -> slice:
    near, far = shape.distances(eye)
    low, high = shape.z0 - eye[2], shape.z1 - eye[2]
    bottom = atan2(low, near if low < 0 else far) - grid.margin
    top = atan2(high, near if high > 0 else far) + grid.margin
    return slice(int(np.searchsorted(grid.elevations, bottom)), int(np.searchsorted(grid.elevations, top)))


def _columns(shape: Shape, eye: Eye, grid: RayGrid) -> list[slice]:
    centre, half = shape.azimuths(eye)
    half += grid.margin
    if half >= pi:
        return [slice(0, grid.azimuths.size)]
    start = (centre - half + pi) % (2 * pi) - pi
    stop = start + 2 * half
    first = int(np.searchsorted(grid.azimuths, start))
    if stop < pi:
        return [slice(first, int(np.searchsorted(grid.azimuths, stop)))]
    return [slice(first, grid.azimuths.size), slice(0, int(np.searchsorted(grid.azimuths, stop - 2 * pi)))]

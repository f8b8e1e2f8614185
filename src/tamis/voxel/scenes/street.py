"""Lidar streets: one or more turns of a spinning lidar through a furnished world, with labels."""

import numpy as np
import numpy.typing as npt
import torch

from tamis.voxel.scenes.ray_casting import RayGrid, cast
from tamis.voxel.scenes.scene import BUILDING, IGNORED, ROAD, SIDEWALK, STREET_LABELS, TERRAIN, Scene
from tamis.voxel.scenes.sensors import Sensor, SensorName, sensor_preset
from tamis.voxel.scenes.shapes import Box, FloatArray
from tamis.voxel.scenes.street_world import KERB_M, StreetWorld, WorldName, furnish

_SWEEP_PERIOD_S = 0.05
_HEADING_SIGMA_RAD = 0.2  # how far the vehicle's nose strays from the road's direction
_RELIEF_M = 0.02  # mean depth of window reveals, joints and ornaments in a front
_GROUND_REFLECTIVITY = {ROAD: 0.15, SIDEWALK: 0.3, TERRAIN: 0.35}


def lidar_street(
    seed: int = 0, sensor: SensorName = "hdl64", world: WorldName = "canyon", *, sweeps: int = 1
) -> Scene:
    """Ray-cast a street with one lidar.

    The same seed gives the same street for every sensor. Measurements carry range noise (2 cm), angular noise
    (0.2 mrad) and drop-out (8 %, rising to 50 % at 100 m); the ground rises and falls gently.

    Parameters
    ----------
    seed : int
        Non-negative.
    sensor : {"hdl64", "hdl32", "waymo_top"}
    world : {"canyon", "suburb"}
    sweeps : int
        Turns of the sensor while its vehicle drives, all expressed in the frame of the last one (nuScenes
        aggregates ten).

    Returns
    -------
    Scene
        Origin at the sensor; one feature, ``intensity`` in [0, 1]; labels as in ``STREET_LABELS``, -1 for the
        vehicle that carries the sensor.

    Raises
    ------
    ValueError
        If the sensor or the world is unknown, the seed negative or sweeps below 1.
    """
    if seed < 0 or sweeps < 1:
        raise ValueError(
            f"lidar_street(seed={seed}, sweeps={sweeps}): needs a non-negative seed and sweeps of at least 1."
        )
    preset = sensor_preset(sensor)
    street = furnish(world, np.random.default_rng([seed, len(world)]))
    rng = np.random.default_rng([seed, preset.azimuth_steps])
    speed_m_s = rng.uniform(2.0, 12.0)
    terrain = _Terrain(rng)
    heading = rng.normal(0, _HEADING_SIGMA_RAD)
    turns = [
        _turn(street, preset, -speed_m_s * _SWEEP_PERIOD_S * age, terrain, rng)
        for age in range(sweeps - 1, -1, -1)
    ]
    points, intensity, labels = (np.concatenate(columns) for columns in zip(*turns, strict=True))
    points = _face(points, heading)
    return Scene(
        torch.from_numpy(points.astype(np.float32)),
        torch.from_numpy(intensity.astype(np.float32)[:, None]),
        torch.from_numpy(labels),
        STREET_LABELS,
        ("intensity",),
    )


class _Terrain:
    """A smooth height that everything stands on: slope along and across the road, and long waves."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.slope = rng.normal(0, 0.012, 2)
        self.waves = rng.normal(0, 0.06, 4)
        self.lengths = rng.uniform(18, 45, (4, 2))
        self.phases = rng.uniform(0, 2 * np.pi, 4)

    def height(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Metres above the ground below the sensor."""
        return self._absolute(x, y) - self._absolute(np.zeros(1), np.zeros(1))

    def _absolute(self, x: FloatArray, y: FloatArray) -> FloatArray:
        z: FloatArray = self.slope[0] * x + self.slope[1] * y
        for wave, (along, across), phase in zip(self.waves, self.lengths, self.phases, strict=True):
            z = z + wave * np.sin(x / along + y / across + phase)
        return z


def _face(points: FloatArray, heading: float) -> FloatArray:
    """Points in the frame of a vehicle whose nose is turned by ``heading`` radians."""
    c, s = np.cos(heading), np.sin(heading)
    turned: FloatArray = points @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return turned


def _turn(
    street: StreetWorld, sensor: Sensor, eye_x: float, terrain: _Terrain, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int64]]:
    """One turn from (eye_x, 0): points in the frame of a sensor at x = 0, intensities, labels."""
    eye = (eye_x, 0.0, sensor.height_m)
    grid = RayGrid.of(sensor, rng)
    ground, ground_labels = _meet_ground(street, grid, eye)
    shapes = street.shapes
    if sensor.roof_drop_m is not None:
        roof = sensor.height_m - sensor.roof_drop_m
        shapes = [*shapes, Box(eye_x - 0.4, 0.0, 0.3, roof, 1.3, 0.8, 0.0, IGNORED, 0.3)]
    distance, index = cast(shapes, eye, grid, ground, rng)
    labels = np.append([shape.label for shape in shapes], 0)[index]  # index -1 reads the sentinel
    tones = np.append([shape.reflectivity for shape in shapes], 0.0)[index]
    on_ground = index < 0
    labels = np.where(on_ground, ground_labels, labels)
    ground_tones = np.array([_GROUND_REFLECTIVITY.get(label, 0.0) for label in range(len(STREET_LABELS))])
    tones = np.where(on_ground, ground_tones[ground_labels], tones)

    relief = _RELIEF_M * rng.standard_exponential(distance.shape) * (labels == BUILDING)
    measured = distance + relief + rng.standard_normal(distance.shape) * sensor.range_sigma_m
    rough = on_ground & (labels == TERRAIN)
    seen = _returns(measured, labels, sensor, rng)
    x, y, z = (measured[seen] * direction[seen] for direction in grid.directions)
    z = z + np.where(rough[seen], np.abs(rng.standard_normal(z.shape)) * 0.05, 0.0)
    z = z + terrain.height(x + eye_x, y)
    intensity = tones[seen] * rng.uniform(0.6, 1.0, z.shape) * np.exp(-measured[seen] / 120.0)
    return np.stack([x + eye_x, y, z], axis=1), intensity, labels[seen].astype(np.int64)


def _meet_ground(
    street: StreetWorld, grid: RayGrid, eye: tuple[float, float, float]
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Distance to road or raised ground (inf for rays that rise), and the label there."""
    dx, dy, dz = grid.directions
    down = np.where(dz < -1e-4, -dz, np.nan)
    low, high = eye[2] / down, (eye[2] - KERB_M) / down
    high_on_road = street.on_road(eye[0] + high * dx, eye[1] + high * dy)
    low_on_road = street.on_road(eye[0] + low * dx, eye[1] + low * dy)
    kerb = (low + high) / 2  # over the road at kerb height, beyond it at road height: the kerb's face
    distance = np.where(high_on_road, np.where(low_on_road, low, kerb), high)
    labels = street.ground_labels(eye[0] + distance * dx, eye[1] + distance * dy)
    return np.where(np.isnan(distance), np.inf, distance), labels


def _returns(
    measured: FloatArray, labels: npt.NDArray[np.int64], sensor: Sensor, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Which rays come back: within range, and not dropped out."""
    lost = np.interp(measured, [40.0, 100.0], [0.08, 0.5])
    kept = rng.random(measured.shape) >= lost
    near = np.where(labels == IGNORED, 0.0, sensor.min_range_m)
    return kept & (measured >= near) & (measured <= sensor.max_range_m)

"""Lidar presets: where the beams point and how well they measure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

SensorName = Literal["hdl64", "hdl32", "waymo_top"]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sensor:
    """A spinning lidar. Angles in degrees, lengths in metres; elevations rise from the lowest beam.

    ``roof_drop_m`` is how far the roof of the carrying vehicle lies below the sensor: beams that meet it
    return the vehicle itself. ``None`` means that the mount clears the roof.
    """

    elevations_deg: FloatArray
    azimuth_steps: int
    height_m: float
    max_range_m: float
    min_range_m: float
    roof_drop_m: float | None = None
    range_sigma_m: float = 0.02
    angle_sigma_rad: float = 0.0002


def _hdl64() -> Sensor:
    lower = np.linspace(-24.33, -8.83, 32)
    upper = np.linspace(-8.33, 2.0, 32)
    return Sensor(np.concatenate([lower, upper]), 2083, height_m=1.73, max_range_m=100.0, min_range_m=2.0)


def _hdl32() -> Sensor:
    elevations = np.linspace(-30.0, 10.0, 32)
    return Sensor(elevations, 1090, height_m=1.84, max_range_m=100.0, min_range_m=0.2, roof_drop_m=0.25)


def _waymo_top() -> Sensor:
    # Spacing grows away from the horizon: 20 degrees in 64 beams, the top ones 0.2 degrees apart.
    elevations = 2.4 - 20.0 * np.linspace(0.0, 1.0, 64) ** 1.35
    return Sensor(elevations[::-1].copy(), 2650, height_m=2.0, max_range_m=75.0, min_range_m=2.0)


_SENSORS: dict[str, Callable[[], Sensor]] = {"hdl64": _hdl64, "hdl32": _hdl32, "waymo_top": _waymo_top}
SENSOR_NAMES = tuple(_SENSORS)


def sensor_preset(name: SensorName) -> Sensor:
    """The preset called ``name``.

    ``"hdl64"``: 64 beams, +2..-24.3 degrees, 2083 azimuths, as in KITTI. ``"hdl32"``: 32 beams, +10..-30
    degrees, 1090 azimuths, as in nuScenes. ``"waymo_top"``: 64 beams, +2.4..-17.6 degrees, 2650 azimuths.

    Raises
    ------
    ValueError
        If there is no such sensor.
    """
    if name not in _SENSORS:
        raise ValueError(f"sensor_preset({name!r}): no such sensor; there are {', '.join(SENSOR_NAMES)}.")
    return _SENSORS[name]()

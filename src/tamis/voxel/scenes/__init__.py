"""Seeded generators of point clouds: lidar streets with labels, rooms, objects, and shapes for tests."""

from tamis.voxel.scenes.room import ROOM_LABELS, room
from tamis.voxel.scenes.scene import IGNORED, STREET_LABELS, Scene
from tamis.voxel.scenes.sensors import SENSOR_NAMES, SensorName
from tamis.voxel.scenes.solids import ADVERSARIAL_NAMES, adversarial, ellipsoid, solid_object, uniform_random
from tamis.voxel.scenes.street import lidar_street
from tamis.voxel.scenes.street_world import WORLD_NAMES, WorldName

__all__ = [
    "ADVERSARIAL_NAMES",
    "IGNORED",
    "ROOM_LABELS",
    "SENSOR_NAMES",
    "STREET_LABELS",
    "WORLD_NAMES",
    "Scene",
    "SensorName",
    "WorldName",
    "adversarial",
    "ellipsoid",
    "lidar_street",
    "room",
    "solid_object",
    "uniform_random",
]

"""Furnishes a street: buildings, parked and moving vehicles, people, poles, trees, hedges.

World frame: x along the road, y to the left, z up, road surface at z = 0, the sensor's vehicle at the origin.
Two styles: ``canyon`` (tall fronts near the road) and ``suburb`` (houses set back, gardens, trees).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tamis.voxel.scenes.scene import BUILDING, PEDESTRIAN, POLE, ROAD, SIDEWALK, TERRAIN, VEGETATION, VEHICLE
from tamis.voxel.scenes.shapes import Box, Cylinder, FloatArray, Foliage, Shape

WorldName = Literal["canyon", "suburb"]
Range = tuple[float, float]

HALF_EXTENT_M = 105.0
KERB_M = 0.12


@dataclass(frozen=True)
class StreetStyle:
    """Ranges that a street is drawn from; metres, uniform, drawn anew for each object or street."""

    setback: Range  # from the middle of the road to the fronts
    building_length: Range
    building_height: Range
    building_gap: Range
    sidewalk_width: Range
    car_spacing: Range
    parked_share: Range
    tree_spacing: Range
    pole_spacing: Range
    pedestrians: tuple[int, int]
    moving_vehicles: tuple[int, int]
    shrubs: tuple[int, int]
    fence_share: float


_STYLES = {
    "canyon": StreetStyle(
        setback=(7.5, 12.0),
        building_length=(8.0, 25.0),
        building_height=(5.0, 15.0),
        building_gap=(0.0, 3.5),
        sidewalk_width=(3.0, 9.0),
        car_spacing=(5.0, 9.0),
        parked_share=(0.6, 1.0),
        tree_spacing=(9.0, 30.0),
        pole_spacing=(15.0, 35.0),
        pedestrians=(10, 40),
        moving_vehicles=(2, 8),
        shrubs=(2, 12),
        fence_share=0.15,
    ),
    "suburb": StreetStyle(
        setback=(14.0, 32.0),
        building_length=(8.0, 18.0),
        building_height=(4.0, 8.0),
        building_gap=(6.0, 22.0),
        sidewalk_width=(1.5, 3.0),
        car_spacing=(6.0, 18.0),
        parked_share=(0.3, 0.9),
        tree_spacing=(4.0, 11.0),
        pole_spacing=(20.0, 40.0),
        pedestrians=(2, 10),
        moving_vehicles=(1, 6),
        shrubs=(60, 140),
        fence_share=0.6,
    ),
}
WORLD_NAMES = tuple(_STYLES)


@dataclass(frozen=True)
class StreetWorld:
    """Solids standing on the ground, and the ground itself."""

    shapes: list[Shape]
    half_road_m: float
    sidewalk_m: float
    crossing_x_m: float  # centre of a road that crosses this one; inf: none
    half_crossing_m: float

    def on_road(self, x: FloatArray, y: FloatArray) -> npt.NDArray[np.bool_]:
        return (np.abs(y) < self.half_road_m) | (np.abs(x - self.crossing_x_m) < self.half_crossing_m)

    def ground_labels(self, x: FloatArray, y: FloatArray) -> npt.NDArray[np.int64]:
        beside = np.minimum(
            np.abs(y) - self.half_road_m, np.abs(x - self.crossing_x_m) - self.half_crossing_m
        )
        off_road = np.where(beside < self.sidewalk_m, SIDEWALK, TERRAIN)
        return np.where(self.on_road(x, y), ROAD, off_road)


def furnish(world: WorldName, rng: np.random.Generator) -> StreetWorld:
    """Draw a street of the given style.

    Raises
    ------
    ValueError
        If there is no such world.
    """
    if world not in _STYLES:
        raise ValueError(f"furnish({world!r}): no such world; there are {', '.join(WORLD_NAMES)}.")
    style = _STYLES[world]
    half_road = rng.uniform(4.5, 6.0)
    crossing = rng.uniform(15, 60) * rng.choice([-1, 1]) if rng.random() < 0.4 else np.inf
    ground = StreetWorld(
        [], half_road, rng.uniform(*style.sidewalk_width), float(crossing), rng.uniform(3.5, 5.5)
    )
    shapes = ground.shapes
    for side in (-1.0, 1.0):
        setback = max(rng.uniform(*style.setback), half_road + 2.5)
        shapes.extend(_buildings(style, side, setback, rng))
        shapes.extend(_parked_cars(style, side, half_road, rng))
        shapes.extend(_poles(style, side, half_road, rng))
        shapes.extend(_trees(style, side, half_road, setback, rng))
        shapes.extend(_shrubs(style, side, half_road + ground.sidewalk_m, setback, rng))
    shapes.extend(_moving_vehicles(style, half_road, rng))
    shapes.extend(_pedestrians(style, half_road, rng))
    blocks_crossing = _blocks(ground)
    return StreetWorld(
        [s for s in shapes if not blocks_crossing(s)], half_road, ground.sidewalk_m, *_cross(ground)
    )


def _cross(ground: StreetWorld) -> tuple[float, float]:
    return ground.crossing_x_m, ground.half_crossing_m


def _blocks(ground: StreetWorld) -> Callable[[Shape], bool]:
    """Whether a shape stands on the crossing road (where only people and vehicles may)."""

    def blocks(shape: Shape) -> bool:
        if shape.label in (PEDESTRIAN, VEHICLE):
            return False
        along = shape.half_length if isinstance(shape, Box) else shape.radius
        return abs(shape.x - ground.crossing_x_m) < ground.half_crossing_m + along

    return blocks


def _along(spacing: Range, rng: np.random.Generator) -> Iterator[float]:
    x = -HALF_EXTENT_M + rng.uniform(0, spacing[1])
    while x < HALF_EXTENT_M:
        yield x
        x += rng.uniform(*spacing)


def _buildings(style: StreetStyle, side: float, setback: float, rng: np.random.Generator) -> Iterator[Shape]:
    x = -HALF_EXTENT_M - rng.uniform(*style.building_length)
    while x < HALF_EXTENT_M:
        half, depth = rng.uniform(*style.building_length) / 2, rng.uniform(6, 14) / 2
        front = setback + rng.uniform(0, 1.5)
        height, tone = rng.uniform(*style.building_height), rng.uniform(0.15, 0.6)
        yield Box(x + half, side * (front + depth), 0, height, half, depth, 0.0, BUILDING, tone)
        for _ in range(rng.integers(0, 4)):  # bays, porches, steps
            bay, out = rng.uniform(0.5, 1.6), rng.uniform(0.15, 1.2)
            at, low = x + rng.uniform(0, 2 * half), rng.choice([0.0, rng.uniform(2.5, 4)])
            yield Box(at, side * front, low, low + rng.uniform(1, 3.5), bay, out, 0.0, BUILDING, tone)
        gap = rng.uniform(*style.building_gap)
        if gap > 2 and rng.random() < style.fence_share:
            yield Box(
                x + 2 * half + gap / 2, side * front, 0, rng.uniform(1, 2), gap / 2, 0.05, 0.0, BUILDING, 0.3
            )
        x += 2 * half + gap


def _car(x: float, y: float, yaw: float, rng: np.random.Generator) -> Iterator[Shape]:
    tone, kind = rng.uniform(0.1, 0.8), rng.random()
    c, s = np.cos(yaw), np.sin(yaw)
    if kind < 0.12:  # van or lorry: one tall box on a chassis
        half, wide, top = rng.uniform(2.4, 4.5), rng.uniform(0.95, 1.25), rng.uniform(2.0, 3.4)
        yield Box(x, y, 0.35, top, half, wide, yaw, VEHICLE, tone)
        return
    half, wide = rng.uniform(1.9, 2.4), rng.uniform(0.82, 0.95)
    waist, top = rng.uniform(0.8, 1.0), rng.uniform(1.4, 1.75)
    back = rng.uniform(-0.4, 0.1)
    yield Box(x, y, 0.22, waist, half, wide, yaw, VEHICLE, tone)
    yield Box(x + c * back, y + s * back, waist, top, half * 0.55, wide - 0.1, yaw, VEHICLE, tone * 0.6)
    for along in (-0.62, 0.62):  # wheels, as one axle-wide block each
        yield Box(x + c * along * half, y + s * along * half, 0.0, 0.3, 0.28, wide - 0.02, yaw, VEHICLE, 0.05)


def _parked_cars(
    style: StreetStyle, side: float, half_road: float, rng: np.random.Generator
) -> Iterator[Shape]:
    share = rng.uniform(*style.parked_share)
    for x in _along(style.car_spacing, rng):
        if rng.random() < share and abs(x) > 3.0:
            yield from _car(x, side * (half_road - 1.1), rng.normal(0, 0.03), rng)


def _moving_vehicles(style: StreetStyle, half_road: float, rng: np.random.Generator) -> Iterator[Shape]:
    lane = half_road * 0.3
    for _ in range(rng.integers(*style.moving_vehicles, endpoint=True)):
        x = rng.uniform(7, 80) * rng.choice([-1, 1])
        y = lane * rng.choice([-1, 1]) + rng.normal(0, 0.3)
        yield from _car(x, y, rng.normal(0, 0.05), rng)


def _pedestrians(style: StreetStyle, half_road: float, rng: np.random.Generator) -> Iterator[Shape]:
    for _ in range(rng.integers(*style.pedestrians, endpoint=True)):
        x = rng.triangular(4, 8, 60) * rng.choice([-1, 1])
        y = rng.choice([-1, 1]) * (half_road + rng.uniform(0.4, 3.0))
        if rng.random() < 0.15:
            y = rng.uniform(-half_road, half_road)
        tall, wide, tone = rng.uniform(1.45, 1.95), rng.uniform(0.17, 0.27), rng.uniform(0.1, 0.7)
        yield Cylinder(x, y, 0.0, tall * 0.5, wide * 0.65, PEDESTRIAN, tone)
        yield Foliage(x, y, tall * 0.65, wide, tall * 0.2, 0.0, PEDESTRIAN, tone)
        yield Foliage(x, y, tall - 0.12, 0.11, 0.13, 0.0, PEDESTRIAN, 0.3)


def _poles(style: StreetStyle, side: float, half_road: float, rng: np.random.Generator) -> Iterator[Shape]:
    for x in _along(style.pole_spacing, rng):
        y = side * (half_road + rng.uniform(0.3, 1.2))
        kind = rng.random()
        if kind < 0.15:  # bollard
            yield Cylinder(x, y, 0.0, rng.uniform(0.8, 1.2), 0.08, POLE, 0.4)
        elif kind < 0.5:  # traffic sign
            height = rng.uniform(2.2, 3.2)
            yield Cylinder(x, y, 0.0, height, 0.045, POLE, 0.5)
            yield Box(x, y, height - 0.7, height, 0.03, 0.35, rng.normal(0, 0.2), POLE, 0.95)
        else:  # lamp or power pole
            yield Cylinder(x, y, 0.0, rng.uniform(4.5, 9.0), rng.uniform(0.07, 0.15), POLE, 0.4)


def _trees(
    style: StreetStyle, side: float, half_road: float, setback: float, rng: np.random.Generator
) -> Iterator[Shape]:
    gap = setback - half_road
    for x in _along(style.tree_spacing, rng):
        y = side * (half_road + 1.2 + (rng.random() * max(gap - 3.0, 0.0) if rng.random() < 0.6 else 0.0))
        stem, crown = rng.uniform(1.6, 3.5), rng.uniform(1.2, 3.2)
        middle = stem + crown * rng.uniform(0.7, 1.1)
        yield Cylinder(x, y, 0.0, middle, rng.uniform(0.1, 0.25), VEGETATION, 0.3)
        yield Foliage(x, y, middle, crown, crown * rng.uniform(0.8, 1.3), rng.uniform(0.3, 1.0), VEGETATION)


def _shrubs(
    style: StreetStyle, side: float, inner: float, setback: float, rng: np.random.Generator
) -> Iterator[Shape]:
    room = max(setback - inner - 0.5, 0.5)
    for _ in range(rng.integers(*style.shrubs, endpoint=True)):
        x, y = rng.uniform(-HALF_EXTENT_M, HALF_EXTENT_M), side * (inner + rng.uniform(0, room))
        radius = rng.uniform(0.3, 1.3)
        yield Foliage(
            x, y, radius * 0.6, radius, radius * rng.uniform(0.6, 1.1), rng.uniform(0.1, 0.3), VEGETATION
        )
    if rng.random() < 0.5 * style.fence_share:  # a hedge along the front gardens
        for x in _along((1.0, 1.4), rng):
            yield Foliage(x, side * (inner + 0.8), 0.6, 0.75, 0.8, 0.15, VEGETATION)

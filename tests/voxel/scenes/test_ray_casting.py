"""The windowed ray caster against brute force over all rays, and shapes against geometry done by hand."""

import numpy as np
import pytest

from tamis.voxel.scenes.ray_casting import RayGrid, cast
from tamis.voxel.scenes.sensors import sensor_preset
from tamis.voxel.scenes.shapes import Box, Cylinder, Foliage

EYE = (0.5, -0.3, 1.7)
AHEAD = tuple(np.array([value]) for value in (1.0, 0.0, 0.0))


def test_box_cylinder_and_solid_foliage_are_met_where_geometry_says():
    rng = np.random.default_rng(0)
    assert Box(10, 0, 0, 3, 2, 1, 0.0, 1).meet((0, 0, 1), AHEAD, rng) == pytest.approx(8.0)
    assert Box(10, 0, 0, 3, 2, 1, np.pi / 2, 1).meet((0, 0, 1), AHEAD, rng) == pytest.approx(9.0)
    assert Box(10, 0, 1.5, 3, 2, 1, 0.0, 1).meet((0, 0, 1), AHEAD, rng) == np.inf
    assert Cylinder(10, 0, 0, 3, 0.5, 1).meet((0, 0, 1), AHEAD, rng) == pytest.approx(9.5)
    assert Cylinder(10, 0.6, 0, 3, 0.5, 1).meet((0, 0, 1), AHEAD, rng) == np.inf
    assert Foliage(10, 0, 1, 2, 1, 0.0, 1).meet((0, 0, 1), AHEAD, rng) == pytest.approx(8.0)


def test_foliage_stops_rays_at_exponential_depth():
    rng = np.random.default_rng(0)
    rays = tuple(np.full(20_000, value) for value in (1.0, 0.0, 0.0))
    met = Foliage(10, 0, 1, 2, 2, 0.8, 1).meet((0, 0, 1), rays, rng)
    assert np.isinf(met).mean() == pytest.approx(np.exp(-4 / 0.8), abs=0.005)
    assert met.min() >= 8.0
    assert met[np.isfinite(met)].max() <= 12.0


def _random_shapes(rng):
    for number in range(60):
        x, y = rng.uniform(-30, 30, 2)
        low = rng.uniform(0, 3)
        match number % 3:
            case 0:
                yield Box(
                    x, y, low, low + rng.uniform(0.1, 6), *rng.uniform(0.1, 9, 2), rng.uniform(-9, 9), number
                )
            case 1:
                yield Cylinder(x, y, low, low + rng.uniform(0.1, 6), rng.uniform(0.05, 3), number)
            case 2:
                yield Foliage(x, y, low, rng.uniform(0.2, 4), rng.uniform(0.2, 4), 0.0, number)


def test_windows_lose_no_ray():
    rng = np.random.default_rng(5)
    grid = RayGrid.of(sensor_preset("hdl32"), rng)
    for _ in range(3):
        shapes = list(_random_shapes(rng))
        reach = np.full(grid.directions[0].shape, 80.0)
        distance, index = cast(shapes, EYE, grid, reach, rng)
        met = np.stack([reach, *(shape.meet(EYE, grid.directions, rng) for shape in shapes)])
        np.testing.assert_allclose(distance, met.min(0))
        np.testing.assert_array_equal(index >= 0, met.min(0) < 80.0)
        assert len(np.unique(index)) > 10, "the comparison must have seen many shapes"


def test_nothing_to_meet_leaves_the_reach():
    rng = np.random.default_rng(0)
    grid = RayGrid.of(sensor_preset("hdl32"), rng)
    reach = np.full(grid.directions[0].shape, np.inf)
    distance, index = cast([], EYE, grid, reach, rng)
    assert np.isinf(distance).all()
    assert (index == -1).all()

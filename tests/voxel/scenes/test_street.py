"""Streets: what they are made of, that they are repeatable, and that they look like measured ones."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tamis.voxel import scenes
from tamis.voxel.scenes.street_world import furnish

ROAD, SIDEWALK, TERRAIN, BUILDING, VEGETATION, POLE, VEHICLE, PEDESTRIAN = range(8)


# Targets: a simulator calibrated against published voxel counts (64 beams: 121k points, 80-90k voxels of 5 cm).
PROFILES = [
    ("hdl64", "canyon", 0.05, (80_000, 95_000), (0.31, 0.21, 0.14)),
    ("hdl64", "canyon", 0.10, (43_000, 55_000), (0.47, 0.31, 0.18)),
    ("hdl64", "suburb", 0.05, (80_000, 95_000), None),
    ("waymo_top", "suburb", (0.1, 0.1, 0.15), (60_000, 100_000), (0.32, 0.20, 0.11)),
    ("waymo_top", "canyon", (0.1, 0.1, 0.15), (44_000, 60_000), None),
]


@pytest.mark.parametrize(("sensor", "world", "voxel_size_m", "counts", "densities"), PROFILES)
def test_voxel_counts_and_densities_are_those_of_measured_streets(
    density_profile, sensor, world, voxel_size_m, counts, densities
):
    measured = [
        density_profile(scenes.lidar_street(seed, sensor, world).points.numpy(), voxel_size_m)
        for seed in range(4)
    ]
    assert counts[0] <= np.mean([count for count, _ in measured]) <= counts[1]
    for _, profile in measured:
        assert profile[0] > 1.2 * profile[1] > 1.2 * 1.2 * profile[2], "near neighbours must be likelier"
    if densities:
        mean = np.mean([profile for _, profile in measured], axis=0)
        np.testing.assert_allclose(mean, densities, atol=0.05)


@pytest.mark.parametrize(
    ("sensor", "points"), [("hdl64", 119_000), ("hdl32", 30_000), ("waymo_top", 146_000)]
)
def test_point_counts(sensor, points):
    counts = [
        len(scenes.lidar_street(seed, sensor, world)) for seed in range(3) for world in scenes.WORLD_NAMES
    ]
    assert np.mean(counts) == pytest.approx(points, rel=0.06)


def test_same_seed_same_scene_other_seed_other_scene():
    a, b, c = (scenes.lidar_street(seed, "hdl32") for seed in (3, 3, 4))
    assert torch.equal(a.points, b.points)
    assert torch.equal(a.labels, b.labels)
    assert torch.equal(a.features, b.features)
    assert a.points.shape != c.points.shape or not torch.equal(a.points, c.points)


def test_types_and_ranges():
    scene = scenes.lidar_street(1, "hdl32", "suburb")
    count = len(scene)
    assert scene.points.shape == (count, 3)
    assert scene.points.dtype == torch.float32
    assert scene.features.shape == (count, 1)
    assert scene.feature_names == ("intensity",)
    assert scene.labels.shape == (count,)
    assert scene.labels.dtype == torch.int64
    assert scene.labels.min() >= -1
    assert scene.labels.max() < len(scene.label_names)
    assert torch.isfinite(scene.points).all()
    assert scene.features.min() >= 0
    assert scene.features.max() <= 1
    distance = scene.points.norm(dim=1)
    assert distance.max() < 101.5, "nothing beyond the sensor's range (terrain may add a little height)"


@pytest.mark.parametrize("world", scenes.WORLD_NAMES)
def test_every_class_occurs_and_stands_where_it_should(world):
    parts = [scenes.lidar_street(seed, "hdl64", world) for seed in range(5)]
    labels = torch.cat([scene.labels for scene in parts]).numpy()
    height = torch.cat([scene.points[:, 2] + 1.73 for scene in parts]).numpy()
    near = torch.cat([scene.points[:, :2].norm(dim=1) for scene in parts]).numpy() < 20
    shares = np.bincount(labels[labels >= 0], minlength=8) / len(labels)
    assert (shares > 2e-4).all(), shares
    assert np.abs(np.median(height[near & (labels == ROAD)])) < 0.1
    assert 0.02 < np.median(height[near & (labels == SIDEWALK)]) < 0.25
    for label, low, high in (
        (BUILDING, 0.5, 16),
        (VEHICLE, 0.2, 3.5),
        (PEDESTRIAN, 0.3, 2.2),
        (VEGETATION, 0.2, 9),
    ):
        assert low < np.median(height[near & (labels == label)]) < high


def test_ground_labels_agree_with_the_world():
    ground = furnish("suburb", np.random.default_rng(0))
    x, y = (
        np.zeros(3),
        np.array([0.0, ground.half_road_m + 0.1, ground.half_road_m + ground.sidewalk_m + 0.1]),
    )
    far = x + 3 * ground.crossing_x_m if np.isfinite(ground.crossing_x_m) else x
    assert ground.ground_labels(far, y).tolist() == [ROAD, SIDEWALK, TERRAIN]


def test_nothing_but_people_and_vehicles_stands_on_a_crossing_road():
    crossings = 0
    for seed in range(10):
        street = furnish("canyon", np.random.default_rng(seed))
        crossings += np.isfinite(street.crossing_x_m)
        inside = [s for s in street.shapes if abs(s.x - street.crossing_x_m) < street.half_crossing_m]
        assert {s.label for s in inside} <= {PEDESTRIAN, VEHICLE}
    assert crossings


def test_the_carrying_vehicle_is_ignored_and_close():
    scene = scenes.lidar_street(0, "hdl32")
    ego = scene.labels == scenes.IGNORED
    assert 0.05 < ego.float().mean() < 0.6
    assert scene.points[ego].norm(dim=1).max() < 3.0
    assert not (scenes.lidar_street(0, "hdl64").labels == scenes.IGNORED).any()


def test_drop_out_grows_with_distance():
    """A wall of ground rays: fewer of the far ones come back. Counted per ring on the road."""
    scene = scenes.lidar_street(2, "hdl64", "suburb")
    assert 0.80 < len(scene) / (64 * 2083) < 0.95


def test_sweeps_accumulate_in_the_last_frame():
    one, ten = scenes.lidar_street(0, "hdl32", sweeps=1), scenes.lidar_street(0, "hdl32", sweeps=10)
    assert len(ten) == pytest.approx(10 * len(one), rel=0.03)
    ego = ten.points[ten.labels == scenes.IGNORED]
    assert ego[:, :2].norm(dim=1).max() > 3.0, "earlier positions of the vehicle lie behind"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sensor": "hdl65"}, "hdl65"),
        ({"world": "moon"}, "moon"),
        ({"seed": -1}, "seed=-1"),
        ({"sweeps": 0}, "sweeps=0"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        scenes.lidar_street(**arguments)


def test_matches_the_real_scans_in_kind(density_profile, tamis_data: Path):
    """The simulated 32-beam turn has about as many voxels as the real one, and the same order of densities."""
    real = np.fromfile(tamis_data / "scenes" / "nuscenes_lidar_top.pcd.bin", np.float32).reshape(-1, 5)[:, :3]
    simulated = [scenes.lidar_street(seed, "hdl32", "canyon").points.numpy() for seed in range(3)]
    count, densities = density_profile(real, 0.1)
    counts, profiles = zip(*(density_profile(points, 0.1) for points in simulated), strict=True)
    assert np.mean(counts) == pytest.approx(count, rel=0.3)
    np.testing.assert_allclose(np.mean(profiles, axis=0), densities, atol=0.06)

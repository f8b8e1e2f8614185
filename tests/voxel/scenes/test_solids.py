"""Grid scenes: exact voxels, known neighbourhoods, distinct coordinates."""

import numpy as np
import pytest

from tamis.voxel import scenes


def coords(scene):
    return np.floor(scene.points.numpy()).astype(np.int64)


def test_the_default_ellipsoid_is_the_measured_one(density_profile):
    count, densities = density_profile(scenes.ellipsoid().points.numpy(), 1.0)
    assert count == pytest.approx(92_515, rel=0.01)
    np.testing.assert_allclose(densities, (0.65, 0.50, 0.40), atol=0.01)
    pairs = 1 + np.dot(densities, (6, 12, 8))
    assert pairs == pytest.approx(14.1, abs=0.15)
    assert np.ptp(coords(scenes.ellipsoid()), axis=0).max() < 256


def test_uniform_random_has_no_structure(density_profile):
    scene = scenes.uniform_random(0, 100_000)
    cells = coords(scene)
    assert len(np.unique(cells, axis=0)) == 100_000
    assert cells.min() >= 0
    assert cells.max() < 201
    np.testing.assert_allclose(density_profile(scene.points.numpy(), 1.0)[1], 100_000 / 201**3, rtol=0.1)


@pytest.mark.parametrize(("resolution", "low", "high"), [(64, 2_000, 12_000), (128, 8_000, 50_000)])
def test_objects_are_shells(resolution, low, high):
    for seed in range(5):
        cells = coords(scenes.solid_object(seed, resolution))
        assert low < len(cells) < high
        assert cells.min() >= 0
        assert cells.max() < resolution


@pytest.mark.parametrize("name", scenes.ADVERSARIAL_NAMES)
def test_adversarial_scenes_have_distinct_voxels(name):
    cells = coords(scenes.adversarial(name))
    assert len(np.unique(cells, axis=0)) == len(cells)


def test_adversarial_scenes_are_what_they_say(density_profile):
    assert [len(scenes.adversarial(name)) for name in ("empty", "single")] == [0, 1]
    assert len(np.unique(coords(scenes.adversarial("pole"))[:, :2], axis=0)) == 1
    assert density_profile(scenes.adversarial("checkerboard").points.numpy(), 1.0)[1][0] == 0
    diagonal = density_profile(scenes.adversarial("diagonal").points.numpy(), 1.0)[1]
    assert diagonal[0] == diagonal[1] == 0 < diagonal[2]
    assert set(coords(scenes.adversarial("field_edges"))[:, 2]) >= {0, 255}


@pytest.mark.parametrize(
    "call",
    [
        lambda: scenes.uniform_random(0, 1001, extent=10),
        lambda: scenes.ellipsoid(half_axes=(0, 1, 1)),
        lambda: scenes.solid_object(0, 8),
        lambda: scenes.adversarial("nothing"),
    ],
)
def test_wrong_arguments(call):
    with pytest.raises(ValueError, match=r"\w+\(.*\): "):
        call()

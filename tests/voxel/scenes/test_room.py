"""Rooms have the size and the neighbourhood statistics of scanned ones."""

import numpy as np
import pytest
import torch

from tamis.voxel import scenes


def test_small_rooms_match_scanned_ones(density_profile):
    measured = [density_profile(scenes.room(seed).points.numpy(), 0.02) for seed in range(3)]
    assert np.mean([count for count, _ in measured]) == pytest.approx(151_000, rel=0.12)
    np.testing.assert_allclose(np.mean([p for _, p in measured], axis=0), (0.39, 0.27, 0.17), atol=0.05)


def test_finer_sampling_saturates_the_surface(density_profile):
    sparse, dense = (scenes.room(0, spacing_m=spacing).points.numpy() for spacing in (0.03, 0.012))
    assert density_profile(dense, 0.03)[1][0] > 1.3 * density_profile(sparse, 0.03)[1][0]


def test_sizes_grow_and_labels_name_the_surfaces():
    small, large = scenes.room(1, "small", spacing_m=0.05), scenes.room(1, "large", spacing_m=0.05)
    assert len(large) > 1.5 * len(small)
    for scene in (small, large):
        assert set(scene.labels.tolist()) == {0, 1, 2}
        assert scene.label_names == scenes.ROOM_LABELS
        assert scene.points[scene.labels == 0][:, 2].abs().max() < 0.05, "the floor lies at z = 0"
        assert scene.points.dtype == torch.float32
        assert scene.features.shape == (len(scene), 0)


def test_repeatable():
    a, b, c = (scenes.room(seed, spacing_m=0.05) for seed in (7, 7, 8))
    assert torch.equal(a.points, b.points)
    assert a.points.shape != c.points.shape


@pytest.mark.parametrize(
    "arguments", [{"size": "barn"}, {"seed": -2}, {"spacing_m": 0.0}, {"spacing_m": float("nan")}]
)
def test_wrong_arguments(arguments):
    with pytest.raises(ValueError, match=f"{next(iter(arguments))}={next(iter(arguments.values()))!r}"):
        scenes.room(**arguments)

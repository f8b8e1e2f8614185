"""Painting: nearer points cover farther ones, colours are those of the labels."""

import numpy as np
import pytest
import torch

from tamis.voxel.pictures import save_png
from tamis.voxel.pictures.colours import UNLABELLED, label_colours
from tamis.voxel.pictures.still import paint
from tamis.voxel.scenes import STREET_LABELS


def test_near_covers_far():
    rng = np.random.default_rng(0)
    cloud = np.concatenate([rng.uniform(-5, 5, (4000, 2)), np.zeros((4000, 1))], axis=1)
    above = cloud + np.array([0, 0, 0.4])  # the eye is above: this layer hides the other where they meet
    red, green = np.tile([255, 0, 0], (4000, 1)), np.tile([0, 255, 0], (4000, 1))
    colours = np.concatenate([red, green]).astype(np.uint8)
    for order in (slice(None), slice(None, None, -1)):
        picture = paint(np.concatenate([cloud, above])[order], colours[order]).astype(int)
        assert (picture[..., 1] > 100).sum() > (picture[..., 0] > 100).sum()


def test_nothing_to_paint():
    picture = paint(np.zeros((0, 3)), np.zeros((0, 3), np.uint8))
    assert picture.shape == (900, 1600, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 1
    assert paint(np.zeros((1, 3)), np.full((1, 3), 200, np.uint8)).max() > 100


def test_png_file(tmp_path):
    from PIL import Image

    points = torch.rand(500, 3) * 10
    save_png(tmp_path / "a.png", points, torch.randint(-1, 8, (500,)), STREET_LABELS, title="a & <b>")
    assert Image.open(tmp_path / "a.png").size == (1600, 900)
    save_png(tmp_path / "b.png", points[:0], torch.zeros(0, dtype=torch.int64), STREET_LABELS)


@pytest.mark.parametrize("names", [STREET_LABELS, tuple(f"class {i}" for i in range(40))])
def test_colours_differ(names):
    colours = [*label_colours(names), UNLABELLED]
    assert len(set(colours)) == len(colours)

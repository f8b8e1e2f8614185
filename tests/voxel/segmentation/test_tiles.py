"""A cloud labelled in tiles has the labels of the cloud labelled at once: every tile brings all that its labels depend on."""

import pytest
import torch

from tamis.voxel import scenes, voxelize
from tamis.voxel.networks import MinkUNet14, MinkUNet34
from tamis.voxel.segmentation import Recipe, Segmenter, load_segmenter
from tamis.voxel.segmentation.segmenter import new_network
from tamis.voxel.segmentation.tiles import reach_cells, tiles


def test_reach_is_the_sum_over_the_layers():
    """Stem of 5: 2. Stride 1 to 2: 1. Two convolutions of 3 at stride 2: 4. And so on down and up."""
    down = (1 + 4) + (2 + 8) + (4 + 16) + (8 + 32)
    up = (8 + 16) + (4 + 8) + (2 + 4) + (1 + 2)
    assert reach_cells(MinkUNet14(4, 3, width=0.25)) == 2 + down + up
    assert reach_cells(MinkUNet34(4, 3, width=0.25)) == 2 + (1 + 8) + (2 + 24) + (4 + 64) + (8 + 192) + (
        8 + 32
    ) + (4 + 16) + (2 + 8) + (1 + 4)


@pytest.mark.parametrize("most_voxels", [1, 20_000])
def test_every_point_belongs_to_one_tile_that_holds_its_surroundings(most_voxels):
    points = scenes.lidar_street(0, "hdl32").points
    cells = (points.double() / 0.2).floor()[:, :2]
    counted = torch.zeros(len(points), dtype=torch.int64)
    for tile in tiles(points, 0.2, 20, most_voxels):
        counted[tile.points[tile.inner]] += 1
        assert (tile.points.diff() > 0).all()
        low, high = cells[tile.points[tile.inner]].aminmax(dim=0)
        needed = ((cells >= low - 20) & (cells <= high + 20)).all(1).nonzero()[:, 0]
        assert torch.isin(needed, tile.points).all()
        if most_voxels == 20_000:  # the smaller ones cut down to single blocks
            assert len(voxelize(points[tile.points], 0.2)) <= most_voxels
    assert (counted == 1).all()


@pytest.fixture(scope="module")
def long_street():
    """Three turns along a road, 90 m apart."""
    turns = [
        scenes.lidar_street(seed, "hdl32").points[::3] + torch.tensor([90.0 * seed, 0, 0])
        for seed in range(3)
    ]
    return torch.cat(turns)


def test_labels_in_tiles_are_the_labels_at_once(long_street):
    segmenter, told = load_segmenter(), []
    whole = segmenter.predict(long_street)
    cut = segmenter.predict(long_street, most_voxels=8_000, progress=lambda done, of: told.append((done, of)))
    assert len(told) > 3
    assert told[-1] == (len(long_street), len(long_street))
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert torch.equal(cut, whole)


def test_scores_in_a_tile_are_the_scores_at_once_bit_for_bit(long_street):
    """With weights drawn at random nothing is too small to matter: the reach is no less than it says."""
    torch.manual_seed(0)
    recipe = Recipe("MinkUNet14", 0.25, 0.4, ("a", "b", "c"), "nothing")
    segmenter = Segmenter(recipe, new_network(recipe))
    whole = segmenter.predict(long_street)
    assert len(whole.unique()) > 1
    assert torch.equal(segmenter.predict(long_street, most_voxels=3_000), whole)


def test_a_margin_that_is_too_narrow_shows(long_street, monkeypatch):
    """The test above can fail."""
    torch.manual_seed(0)
    recipe = Recipe("MinkUNet14", 0.25, 0.4, ("a", "b", "c"), "nothing")
    segmenter = Segmenter(recipe, new_network(recipe))
    whole = segmenter.predict(long_street)
    monkeypatch.setattr("tamis.voxel.segmentation.segmenter.reach_cells", lambda network: 0)
    assert not torch.equal(segmenter.predict(long_street, most_voxels=3_000), whole)

"""Height above ground on worlds where the answer is known."""

import pytest
import torch

from tamis.voxel.scenes import lidar_street
from tamis.voxel.segmentation.ground import height_above_ground


def _plane(slope, spacing=0.3, size=60.0):
    axis = torch.arange(-size / 2, size / 2, spacing)
    x, y = (grid.flatten() for grid in torch.meshgrid(axis, axis, indexing="ij"))
    return torch.stack([x, y, slope * x - 1.7], 1)


def test_flat_ground_is_zero_whatever_the_sensor_height():
    for offset in (-100.0, 0.0, 2500.0):
        height = height_above_ground(_plane(0.0) + torch.tensor([0.0, 0.0, offset]))
        assert height.abs().max() < 1e-3


def test_a_slope_lifts_a_point_by_no_more_than_the_reach():
    height = height_above_ground(_plane(0.05))
    assert height.min() > -0.6
    assert height.max() < 0.6


def test_objects_and_overhangs_keep_their_height():
    ground = _plane(0.0)
    pole = torch.tensor([[3.0, 4.0, z - 1.7] for z in (0.5, 1.0, 4.0)])
    height = height_above_ground(torch.cat([ground, pole]))
    torch.testing.assert_close(height[-3:], torch.tensor([0.5, 1.0, 4.0]), atol=0.02, rtol=0)


def test_single_returns_from_below_do_not_move_the_ground():
    ground = _plane(0.0)
    below = ground[::997] - torch.tensor([0.0, 0.0, 5.0])
    height = height_above_ground(torch.cat([ground, below]))
    assert height[: len(ground)].abs().max() < 0.05


def test_the_order_of_points_does_not_matter():
    points = lidar_street(0, "hdl32").points
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        height_above_ground(points)[order], height_above_ground(points[order]), atol=1e-5, rtol=0
    )


def test_sidewalks_stand_above_the_road():
    scene = lidar_street(1, "hdl64", "suburb")
    height, near = height_above_ground(scene.points), scene.points[:, :2].norm(dim=1) < 20
    road, sidewalk = (height[near & (scene.labels == label)].median() for label in (0, 1))
    assert 0.05 < sidewalk - road < 0.2


@pytest.mark.parametrize(
    "points", [torch.zeros(0, 3), torch.zeros(1, 3), torch.tensor([[0.0, 0, 0], [1e6, 1e6, 5.0]])]
)
def test_few_points_and_huge_extents(points):
    height = height_above_ground(points)
    assert height.shape == (len(points),)
    assert height.isfinite().all()

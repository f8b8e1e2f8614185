"""From points to voxels and back, against loops."""

import torch

from tamis.voxel.segmentation.inputs import INPUT_CHANNELS, network_input, voxel_labels

POINTS = torch.tensor([[0.1, 0.1, 0.0], [0.9, 0.9, 0.1], [-0.1, 0.1, 0.0], [0.2, 0.3, 0.2], [5.5, 5.5, 3.0]])
LABELS = torch.tensor([2, 1, -1, 1, -1])


def test_rows_point_at_the_voxel_that_holds_the_point():
    scene = network_input(POINTS, 1.0)
    cells = scene.coords[scene.row_of_point, 1:]
    torch.testing.assert_close(cells, POINTS.floor().int())
    assert scene.feats.shape == (3, INPUT_CHANNELS)
    counts = torch.bincount(scene.row_of_point)
    torch.testing.assert_close(scene.feats[:, 3], counts.float().log2() / 4)


def test_the_majority_names_a_voxel_and_unlabelled_points_do_not_vote():
    scene = network_input(POINTS, 1.0)
    labels = voxel_labels(scene, LABELS, 4)[scene.row_of_point]
    assert labels.tolist() == [1, 1, -1, 1, -1]

"""Points to voxels and back."""

import numpy as np
import pytest
import torch

from tamis import voxel


def points(count=500, seed=0, scale=2.0):
    return (torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)) - 0.5) * scale


@pytest.mark.parametrize("reduce", ["mean", "sum", "first"])
def test_reductions_against_a_dictionary(reduce):
    cloud, feats = points(), torch.randn(500, 3)
    batch = torch.arange(500) % 2
    x = voxel.voxelize(cloud, 0.25, feats, batch, reduce)
    groups: dict[tuple, list] = {}
    for row, (place, scene) in enumerate(
        zip((cloud.double() / 0.25).floor().tolist(), batch.tolist(), strict=True)
    ):
        groups.setdefault((scene, *map(int, place)), []).append(feats[row])
    assert [tuple(row) for row in x.coords.tolist()] == sorted(groups)
    for row, place in enumerate(sorted(groups)):
        rows = torch.stack(groups[place])
        expected = {"mean": rows.mean(0), "sum": rows.sum(0), "first": rows[0]}[reduce]
        torch.testing.assert_close(x.feats[row], expected)


def test_numpy_integers_and_default_features():
    cloud = points().numpy()
    assert voxel.voxelize(cloud, 0.25).feats.unique().tolist() == [1.0]
    x = voxel.voxelize(cloud, (0.25, 0.5, 1.0), np.ones((500, 2), dtype=np.uint8), reduce="sum")
    assert x.feats.dtype == torch.float32
    assert x.feats.sum() == 1000


def test_negative_points_round_down_and_cells_are_absolute():
    x = voxel.voxelize(torch.tensor([[-0.01, 0.01, 1.0]]), 0.5)
    assert x.coords.tolist() == [[0, -1, 0, 2]]
    far = voxel.voxelize(torch.tensor([[-0.01, 0.01, 1.0], [30.0, 30.0, 30.0]]), 0.5)
    assert far.coords[0].tolist() == [0, -1, 0, 2]


def test_empty_cloud():
    x = voxel.voxelize(torch.empty(0, 3), 0.1, torch.empty(0, 5))
    assert (len(x), x.channels, x.batch_size) == (0, 5, 0)
    assert voxel.devoxelize(x, torch.rand(4, 3), 0.1).tolist() == [[0.0] * 5] * 4
    assert (
        voxel.devoxelize(x, torch.rand(4, 3), 0.1, method="trilinear", fill=-1.0).tolist() == [[-1.0] * 5] * 4
    )


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="2 of 3 points are NaN or infinite"):
        voxel.voxelize(torch.tensor([[0, 0, np.nan], [np.inf, 0, 0], [0, 0, 0]]), 0.1)
    with pytest.raises(ValueError, match="must be positive"):
        voxel.voxelize(points(), 0.0)
    with pytest.raises(ValueError, match="along y"):
        voxel.voxelize(torch.tensor([[0.0, 1e12, 0.0]]), 0.1)
    with pytest.raises(ValueError, match="axis x runs from"):
        voxel.voxelize(torch.tensor([[2e8, 2e8, 2e8], [-2e8, -2e8, -2e8]]), 0.1)
    with pytest.raises(ValueError, match="already has one"):
        voxel.voxelize(points(), 0.5, reduce="error")
    with pytest.raises(ValueError, match="reduce='max'"):
        voxel.voxelize(points(), 0.5, reduce="max")
    with pytest.raises(ValueError, match="Further columns"):
        voxel.voxelize(torch.rand(5, 4), 0.5)
    with pytest.raises(ValueError, match="features needs shape"):
        voxel.voxelize(points(), 0.5, torch.rand(3, 2))
    with pytest.raises(ValueError, match="batch needs shape"):
        voxel.voxelize(points(), 0.5, batch=torch.zeros(3))


def test_merge_duplicates():
    coords = torch.tensor([[0, 1, 1, 1], [0, 0, 0, 0], [0, 1, 1, 1]], dtype=torch.int32)
    x = voxel.merge_duplicates(coords, torch.tensor([[1.0], [5.0], [2.0]]), "sum")
    assert x.coords.tolist() == [[0, 0, 0, 0], [0, 1, 1, 1]]
    assert x.feats.tolist() == [[5.0], [3.0]]


def test_nearest_reads_the_voxel_of_each_point():
    cloud, batch = points(), torch.arange(500) % 3
    x = voxel.voxelize(cloud, 0.25, batch=batch)
    x = x.with_feats(torch.arange(float(len(x)))[:, None])
    rows = voxel.devoxelize(x, cloud, 0.25, batch)[:, 0].long()
    assert torch.equal(x.coords[rows][:, 1:], (cloud.double() / 0.25).floor().int())
    assert torch.equal(x.coords[rows][:, 0], batch.int())
    assert voxel.devoxelize(x, torch.full((1, 3), 99.0), 0.25, fill=-7.0).tolist() == [[-7.0]]


def test_coarse_tensor_is_read_at_its_stride():
    coords = torch.tensor([[0, -4, 0, 4]], dtype=torch.int32)
    x = voxel.VoxelTensor(coords, torch.tensor([[3.0]]), stride=(4, 4, 4))
    at = torch.tensor([[-3.9, 0.1, 7.9], [-4.1, 0.1, 7.9]])
    assert voxel.devoxelize(x, at, 1.0)[:, 0].tolist() == [3.0, 0.0]


def test_trilinear_reproduces_a_linear_field_inside_and_renormalises_at_the_rim():
    grid = torch.stack(torch.meshgrid(*[torch.arange(-3, 4)] * 3, indexing="ij"), -1).reshape(-1, 3)
    coords = torch.cat([torch.zeros(len(grid), 1), grid], 1).int()
    slope = torch.tensor([1.0, -2.0, 0.5])
    x = voxel.VoxelTensor(coords, ((grid + 0.5) @ slope)[:, None])
    inside = points(200, scale=4.9)
    torch.testing.assert_close(
        voxel.devoxelize(x, inside, 1.0, method="trilinear")[:, 0], inside @ slope, atol=1e-5, rtol=1e-5
    )
    alone = voxel.VoxelTensor(coords[:1], torch.tensor([[2.0]]))
    assert voxel.devoxelize(alone, torch.tensor([[-2.9, -2.2, -2.4]]), 1.0, method="trilinear").tolist() == [
        [2.0]
    ]


@pytest.mark.parametrize("method", ["nearest", "trilinear"])
def test_devoxelize_has_gradients(method):
    x = voxel.voxelize(points(40), 0.5, torch.randn(40, 2, dtype=torch.float64))

    def run(feats):
        return voxel.devoxelize(x.with_feats(feats), points(15, seed=3), 0.5, method=method)

    assert torch.autograd.gradcheck(run, (x.feats.requires_grad_(),))


def test_row_of_point_is_the_voxel_of_each_point():
    cloud, batch = points(), torch.arange(500) % 3
    x = voxel.voxelize(cloud, 0.25, batch=batch, reduce="first")
    assert torch.equal(x.coords[x.row_of_point][:, 1:], (cloud.double() / 0.25).floor().int())
    assert torch.equal(x.coords[x.row_of_point][:, 0], batch.int())
    assert x.with_feats(x.feats * 2).row_of_point is x.row_of_point
    y = x.with_feats(torch.randn(len(x), 2))
    assert torch.equal(y.feats[x.row_of_point], voxel.devoxelize(y, cloud, 0.25, batch))
    merged = voxel.merge_duplicates(
        torch.tensor([[0, 2, 0, 0], [0, 1, 0, 0], [0, 2, 0, 0]]).int(), torch.ones(3, 1)
    )
    assert merged.row_of_point.tolist() == [1, 0, 1]
    assert voxel.VoxelTensor(x.coords, x.feats).row_of_point is None


def test_a_point_cloud_from_a_file_goes_straight_in(tmp_path):
    rows = np.random.default_rng(0).random((200, 4), dtype=np.float32)
    rows.tofile(tmp_path / "scan.bin")
    cloud = voxel.read_points(tmp_path / "scan.bin", columns=4)
    x = voxel.voxelize(cloud, 0.25)
    expected = voxel.voxelize(torch.from_numpy(rows[:, :3]), 0.25, torch.from_numpy(rows[:, 3:]))
    assert torch.equal(x.coords, expected.coords)
    assert torch.equal(x.feats, expected.feats)
    assert voxel.voxelize(cloud, 0.25, features=torch.ones(200, 3)).channels == 3
    bare = voxel.PointCloud(cloud.points, torch.zeros(200, 0), ())
    assert voxel.voxelize(bare, 0.25).feats.unique().tolist() == [1.0]
    assert torch.equal(voxel.devoxelize(x, cloud, 0.25), x.feats[x.row_of_point])


def test_moved_and_changed_tensors_keep_only_what_holds():
    x = voxel.voxelize(points(), 0.25)
    halves = x.to(torch.float16)
    assert halves.feats.dtype == torch.float16
    assert halves.sorted_keys() is not None
    assert torch.equal(halves.sorted_keys().keys, x.sorted_keys().keys)
    assert torch.equal(halves.row_of_point, x.row_of_point)
    x.coords[:, 1] += 5
    assert torch.equal(x.to(torch.float16).sorted_keys().keys, voxel.SortedKeys.of(x.coords).keys)


def test_everything_works_in_inference_mode():
    net = voxel.Sequential(voxel.SubmanifoldConv3d(1, 2), voxel.SparseConv3d(2, 3)).eval()
    with torch.inference_mode():
        x = voxel.voxelize(points(), 0.25)
        y = net(x, plan=voxel.plan(net, x))
    with torch.no_grad():
        assert torch.equal(y.feats, net(voxel.voxelize(points(), 0.25)).feats)

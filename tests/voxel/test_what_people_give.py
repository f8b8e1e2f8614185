"""Inputs as people have them: arrays of any layout, batches of any type, coordinates at the ends of int32, float64."""

import numpy as np
import pytest
import torch
from torch import nn

from tamis import voxel


def points(count=300):
    return np.random.default_rng(0).random((count, 3)) * 3 - 1.5


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a[::-1],
        lambda a: a.astype(a.dtype.newbyteorder(">")),
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 2, axis=0)[::2],
        lambda a: a.astype(np.longdouble),
    ],
    ids=["backwards", "big-endian", "by columns", "strided", "long double"],
)
def test_arrays_of_any_layout(change):
    cloud, feats, batch = points(), np.arange(600.0).reshape(300, 2), np.arange(300) % 3
    given = [change(a) for a in (cloud, feats, batch.astype(np.float64))]
    plain = [torch.from_numpy(np.array(a, dtype=np.float64, order="C")) for a in given]
    x = voxel.voxelize(given[0], 0.25, *given[1:])
    expected = voxel.voxelize(plain[0], 0.25, *plain[1:])
    assert torch.equal(x.coords, expected.coords)
    assert torch.equal(x.feats, expected.feats)
    for method in ("nearest", "trilinear"):
        read = voxel.devoxelize(x, given[0], 0.25, given[2], method)
        assert torch.equal(read, voxel.devoxelize(expected, plain[0], 0.25, plain[2], method))


def test_read_only_memory_gives_no_warning(recwarn):
    cloud = points()
    cloud.flags.writeable = False
    voxel.voxelize(cloud, 0.25)
    assert not recwarn.list


@pytest.mark.parametrize("call", ["voxelize", "devoxelize"])
@pytest.mark.parametrize("wrong", [2**32, 2**31, -1, 1.9, float("nan"), float("inf"), -0.5])
def test_a_batch_is_a_whole_number_of_int32(call, wrong):
    cloud = points(3)
    x = voxel.voxelize(cloud, 0.25)
    run = {"voxelize": voxel.voxelize, "devoxelize": lambda *a, **k: voxel.devoxelize(x, *a, **k)}[call]
    with pytest.raises(ValueError, match=f"{call}.*1 of 3 are something else"):
        run(cloud, 0.25, batch=[0, wrong, 0])
    with pytest.raises(ValueError, match="batch"):
        run(cloud, 0.25, batch=np.array([0, 2**64 - 1, 0], dtype=np.uint64))
    assert len(run(cloud, 0.25, batch=torch.tensor([0.0, 2.0, 0.0]))) == 3  # floats that are whole


def test_points_of_an_unknown_scene_meet_no_voxel():
    cloud = points(3)
    x = voxel.voxelize(cloud, 0.25, batch=[0, 1, 2])
    assert voxel.devoxelize(x, cloud, 0.25, [0, 3, 2**31 - 1], fill=-1.0)[:, 0].tolist() == [1.0, -1.0, -1.0]


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="dtype <U"):
        voxel.voxelize(points(3), 0.25, np.array([["a"], ["b"], ["c"]]))
    with pytest.raises(ValueError, match="one number, or three"):
        voxel.voxelize(points(3), (0.1, 0.2))
    with pytest.raises(ValueError, match="NaN or infinite"):
        voxel.devoxelize(voxel.voxelize(points(3), 0.25), np.full((2, 3), np.nan), 0.25)
    cloud = torch.rand(3, 3, requires_grad=True)
    x = voxel.voxelize(cloud, 0.25)
    with pytest.raises(ValueError, match=r"points\.detach"):
        voxel.devoxelize(x, cloud, 0.25, method="trilinear")
    with pytest.raises(ValueError, match="three whole numbers"):
        voxel.VoxelTensor(torch.zeros(1, 4, dtype=torch.int32), torch.ones(1, 1), stride=(1.9, 1, 1))


def test_batch_size_must_hold_every_scene():
    coords = torch.tensor([[0, 0, 0, 0], [3, 0, 0, 0]], dtype=torch.int32)
    with pytest.raises(ValueError, match=r"batch_size=2, but .* goes up to 3: at least 4 scenes"):
        voxel.VoxelTensor(coords, torch.ones(2, 1), batch_size=2)
    with pytest.raises(ValueError, match="batch_size=2"):
        voxel.plan(voxel.SubmanifoldConv3d(1, 1), coords, batch_size=2)
    assert voxel.GlobalPool("sum")(voxel.VoxelTensor(coords, torch.ones(2, 1), batch_size=6)).shape == (6, 1)


def test_float64_features_run_in_the_networks_type():
    x = voxel.voxelize(points(), 0.25, np.random.default_rng(1).random((300, 4)))
    assert x.feats.dtype == torch.float64
    for net in (voxel.Sequential(voxel.SubmanifoldConv3d(4, 8), nn.ReLU()), voxel.SubmanifoldConv3d(4, 8)):
        assert torch.equal(net(x).feats, net(x.to(torch.float32)).feats)
    assert voxel.Pool3d("mean")(x).feats.dtype == torch.float64


def test_a_generative_layer_stops_at_the_end_of_int32():
    end = 2**31 - 1
    layer = voxel.SparseConvTranspose3d(1, 1, 3, 1, generative=True)
    with torch.no_grad():
        inside = voxel.VoxelTensor(torch.tensor([[0, end - 1, 0, 0]], dtype=torch.int32), torch.ones(1, 1))
        assert layer(inside).coords[:, 1].unique().tolist() == [end - 2, end - 1, end]
        for at in (end, -(2**31)):
            outside = voxel.VoxelTensor(torch.tensor([[0, at, 0, 0]], dtype=torch.int32), torch.ones(1, 1))
            with pytest.raises(ValueError, match=r"along x they run from .* beyond int32"):
                _ = layer(outside).coords


def test_the_advice_of_the_error_about_duplicates_works():
    coords = torch.tensor([[1, 2, 0, 0], [1, 0, 0, 0], [1, 2, 0, 0]], dtype=torch.int32)
    x = voxel.VoxelTensor(coords, torch.tensor([[1.0], [5.0], [2.0]]), stride=(2, 2, 2), batch_size=4)
    with pytest.raises(ValueError, match=r'merge_duplicates\(x, "mean"\)'):
        voxel.plan(voxel.SubmanifoldConv3d(1, 1), x)
    merged = voxel.merge_duplicates(x, "mean")
    assert merged.coords.tolist() == [[1, 0, 0, 0], [1, 2, 0, 0]]
    assert merged.feats.tolist() == [[5.0], [1.5]]
    assert (merged.stride, merged.batch_size) == ((2, 2, 2), 4)
    assert voxel.merge_duplicates(x, reduce="sum").feats.tolist() == [[5.0], [3.0]]
    assert voxel.merge_duplicates(coords, x.feats, "first").feats.tolist() == [[5.0], [1.0]]
    with pytest.raises(ValueError, match=r"feats needs shape \(3, channels\), got 'mean'"):
        voxel.merge_duplicates(coords, "mean")
    with pytest.raises(ValueError, match=r"torch\.int64"):
        voxel.merge_duplicates(coords.long() + 2**32, x.feats)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_means_in_half_precision(dtype):
    cloud = torch.rand(400, 3) * 0.1
    x = voxel.voxelize(cloud, 1.0, torch.full((400, 3), 200.0, dtype=dtype))
    assert x.feats.dtype == dtype
    assert x.feats.tolist() == [[200.0] * 3]
    pooled = voxel.GlobalPool("mean")(
        voxel.voxelize(points(1000), 0.1, torch.full((1000, 1), 100.0, dtype=dtype))
    )
    assert pooled.tolist() == [[100.0]]


def test_means_of_colours_of_16_bits_are_exact():
    colours = np.random.default_rng(0).integers(0, 65536, (10_000, 3)).astype(np.uint16)
    x = voxel.voxelize(np.zeros((10_000, 3)), 1.0, colours)
    assert x.feats.dtype == torch.float32
    np.testing.assert_array_equal(x.feats[0].numpy(), colours.mean(0, dtype=np.float64).astype(np.float32))


def test_an_infinite_voxel_stays_where_it_is():
    x = voxel.VoxelTensor(
        torch.tensor([[0, 0, 0, 0], [0, 9, 0, 0]], dtype=torch.int32), torch.tensor([[torch.nan], [4.0]])
    )
    at = torch.tensor([[9.4, 0.4, 0.4], [50.0, 0.0, 0.0]])
    for method in ("nearest", "trilinear"):
        assert voxel.devoxelize(x, at, 1.0, method=method, fill=-1.0)[:, 0].tolist() == [4.0, -1.0]


def test_cells_are_those_of_float64_whatever_torchs_default_type():
    """0.3 / 0.1 is 2.9999999999999996 in float64; with the size in float32 or bfloat16 it is another number."""
    cloud = np.array([[0.3, 0.7, 1000.05]])
    expected = np.floor(cloud / 0.1).astype(int).tolist()[0]
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        torch.set_default_dtype(dtype)
        try:
            for size in (0.1, [0.1] * 3, np.float64(0.1), np.full(3, 0.1)):
                x = voxel.voxelize(cloud, size)
                assert x.coords[0, 1:].tolist() == expected
                assert x.feats.dtype == torch.float32
                assert voxel.devoxelize(x, cloud, size).tolist() == [[1.0]]
        finally:
            torch.set_default_dtype(torch.float32)


def test_torchs_default_device_does_not_move_the_points():
    cloud, feats = torch.rand(50, 3), torch.rand(50, 2)
    expected = voxel.voxelize(cloud, 0.3, feats)
    with torch.device("meta"):
        x = voxel.voxelize(cloud, 0.3, feats, [0] * 50)
        read = [voxel.devoxelize(x, cloud, 0.3, [0] * 50, method) for method in ("nearest", "trilinear")]
    assert torch.equal(x.feats, expected.feats)
    assert torch.equal(read[0], x.feats[x.row_of_point])
    assert torch.equal(read[1], voxel.devoxelize(x, cloud, 0.3, method="trilinear"))

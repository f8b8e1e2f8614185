"""Plans: which maps a network needs, built once, and never used for the wrong thing."""

import pytest
import torch
from torch import nn

from tamis import voxel
from tamis.kernels.reference.kernel_map import brute_force
from tamis.voxel.networks import MinkUNet14, VoxelBackBone8x
from tamis.voxel.tensor import VoxelTensor


def scene(points=600, size=24, *, channels=4, batch=2, seed=0, shuffle=True):
    generator = torch.Generator().manual_seed(seed)
    coords = torch.randint(-size, size, (points, 4), generator=generator)
    coords[:, 0] %= batch
    coords = coords.unique(dim=0).int()
    if shuffle:
        coords = coords[torch.randperm(len(coords), generator=generator)]
    return VoxelTensor(coords, torch.randn(len(coords), channels, generator=generator))


def small_unet():
    torch.manual_seed(0)
    return MinkUNet14(4, 5, width=0.25).eval()


def test_every_distinct_map_once():
    found = voxel.required_maps(small_unet())
    assert [level.stride for level in found.levels] == [(s, s, s) for s in (1, 2, 4, 8, 16)]
    sizes = sorted((key.source, key.target, key.kernel_size[0]) for key in found.map_keys())
    same = [(level, level, kernel) for level in range(5) for kernel in (1, 3)]
    expected = sorted([(0, 0, 5), (0, 1, 2), (1, 2, 2), (2, 3, 2), (3, 4, 2), *same])
    assert sizes == expected


def test_maps_of_the_plan_are_the_dictionarys():
    x = scene()
    made = voxel.plan(small_unet(), x.coords)
    for (key, turned), found in made.maps.items():
        one = found.transposed() if turned else found
        table = brute_force(made.coords_of(key.source), made.coords_of(key.target), one.offsets)
        assert torch.equal(one.out_in, table)


def test_row_order_of_the_caller_does_not_change_a_bit():
    net, x = small_unet(), scene()
    shuffle = torch.randperm(len(x), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        y = net(x)
        z = net(VoxelTensor(x.coords[shuffle], x.feats[shuffle]))
    assert y.coords is x.coords
    assert torch.equal(z.feats, y.feats[shuffle])


def test_scenes_of_a_batch_do_not_change_each_other():
    net, x = small_unet(), scene(batch=2, shuffle=False)
    second = x.coords[:, 0] == 1
    alone = VoxelTensor(x.coords[second] - torch.tensor([1, 0, 0, 0], dtype=torch.int32), x.feats[second])
    with torch.no_grad():
        assert torch.equal(net(x).feats[second], net(alone).feats)


def test_cropping_far_away_does_not_move_the_stride_lattice():
    """Every stride sees absolute cells: a distant voxel changes the minimum, but no result nearby."""
    net, x = small_unet(), scene(shuffle=False, batch=1)
    far = torch.tensor([[0, -1007, 513, 999]], dtype=torch.int32)
    wider = VoxelTensor(torch.cat([x.coords, far]), torch.cat([x.feats, torch.ones(1, 4)]))
    with torch.no_grad():
        assert torch.equal(net(wider).feats[:-1], net(x).feats)


def test_plan_is_reused_and_equals_an_implicit_one():
    net, x = small_unet(), scene()
    made = voxel.plan(net, x.coords)
    with torch.no_grad():
        assert torch.equal(net(x, plan=made).feats, net(x).feats)
        copy = VoxelTensor(x.coords.clone(), x.feats)
        assert torch.equal(net(copy, plan=made).feats, net(x).feats)
    assert 0 < made.nbytes < 10e6
    assert "level 1: stride (2, 2, 2)" in made.explain()


def test_stale_and_foreign_plans_are_errors():
    net, x = small_unet(), scene()
    made = voxel.plan(net, x.coords)
    with pytest.raises(ValueError, match="are not those of x"):
        net(scene(seed=1), plan=made)
    other = voxel.Sequential(voxel.SubmanifoldConv3d(4, 4, 3, dilation=2))
    with pytest.raises(ValueError, match="made for another network"):
        other(x, plan=made)
    x.coords[0, 1] += 1
    with pytest.raises(ValueError, match="changed in place"):
        net(x, plan=made)


def test_a_network_that_changed_is_traced_again():
    net, x = voxel.Sequential(voxel.SubmanifoldConv3d(4, 4, 3)), scene()
    net(x)
    net.layers.append(voxel.SparseConv3d(4, 4, 2, 2))
    assert net(x).stride == (2, 2, 2)


def test_tracing_leaves_training_mode_and_statistics_alone():
    net = small_unet().train()
    net.stem[0].norm.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    voxel.required_maps(net)
    assert net.training
    assert not net.stem[0].norm.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_plain_module_and_single_layer_plan_themselves():
    x = scene()

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = voxel.SubmanifoldConv3d(4, 8), voxel.SparseConv3d(8, 8, 3, 2)

        def forward(self, x):
            return self.two(self.one(x))

    net = Plain()
    made = voxel.plan(net, x.coords)
    planned = made.release(net(made.bind(x)))
    alone = net(x)
    assert torch.equal(planned.coords, alone.coords)
    assert torch.equal(planned.feats, alone.feats)


def test_duplicates_off_lattice_and_outside_are_errors():
    net, x = small_unet(), scene()
    with pytest.raises(ValueError, match=r"3 of .* coordinates are duplicates"):
        voxel.plan(net, torch.cat([x.coords, x.coords[:3]]))
    with pytest.raises(ValueError, match="not multiples of the stride"):
        voxel.plan(net, x.coords, stride=(2, 2, 2))
    with pytest.raises(ValueError, match="Crop the cloud"):
        voxel.plan(VoxelBackBone8x(4, (16, 16, 16)), x.coords)


def test_coarser_input():
    net, x = small_unet(), scene()
    doubled = VoxelTensor(x.coords * torch.tensor([1, 2, 2, 2]).int(), x.feats, stride=(2, 2, 2))
    with torch.no_grad():
        y = net(doubled)
        assert torch.equal(y.feats, net(x).feats)
    assert y.stride == (2, 2, 2)


def test_empty_and_single_voxel_and_empty_scenes():
    net = small_unet()
    with torch.no_grad():
        empty = net(VoxelTensor(torch.empty(0, 4, dtype=torch.int32), torch.empty(0, 4)))
        assert empty.feats.shape == (0, 5)
        one = VoxelTensor(torch.tensor([[2, -5, 7, 1]], dtype=torch.int32), torch.ones(1, 4))
        assert net(one).feats.shape == (1, 5)
        pooled = voxel.Sequential(voxel.SubmanifoldConv3d(4, 3), voxel.GlobalPool("max"))(one)
        assert pooled.shape == (3, 3)
        assert pooled[:2].abs().max() == 0


def test_transposed_without_a_finer_level_is_an_error():
    net = voxel.Sequential(voxel.SparseConvTranspose3d(4, 4, 2, 2))
    with pytest.raises(ValueError, match="generative=True"):
        net(VoxelTensor(scene().coords * torch.tensor([1, 2, 2, 2]).int(), scene().feats, (2, 2, 2)))
    with pytest.raises(ValueError, match="no multiple"):
        net(scene())


def test_generative_creates_every_touched_voxel():
    x = scene(points=40)
    x = VoxelTensor(x.coords * torch.tensor([1, 2, 2, 2]).int(), x.feats, (2, 2, 2))
    net = voxel.SparseConvTranspose3d(4, 6, 3, 2, generative=True)
    y = net(x)
    steps = torch.cartesian_prod(*[torch.arange(-1, 2)] * 3)
    touched = (x.coords[:, None, 1:] + steps[None]).reshape(-1, 3)
    touched = torch.cat([x.coords[:, :1].repeat_interleave(27, 0), touched], 1).unique(dim=0)
    assert torch.equal(y.coords.unique(dim=0), touched)
    table = brute_force(x.coords, y.coords, -steps)
    padded = torch.cat([x.feats, torch.zeros(1, 4)])
    expected = sum(padded[table[:, k].long()] @ net.weight[k] for k in range(27))
    torch.testing.assert_close(y.feats, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dataflow", ["output_stationary", "weight_stationary", "hybrid"])
def test_dataflows_of_a_plan_agree(dataflow):
    net, x = small_unet(), scene()
    with torch.no_grad():
        expected = net(x).feats
        result = net(x, plan=voxel.plan(net, x.coords, dataflow=dataflow)).feats
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)


def test_streaming_frames_leave_nothing_behind():
    import gc
    import weakref

    net = small_unet()
    with torch.no_grad():
        made = voxel.plan(net, scene().coords)
        trail = weakref.ref(made)
        net(scene(), plan=made)
    del made
    gc.collect()
    assert trail() is None

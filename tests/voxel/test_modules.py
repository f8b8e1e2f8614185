"""Layers, blocks and networks: pooling against dense pooling, fused against unfused, shapes, training."""

import pytest
import torch

from tamis import voxel
from tamis.voxel import networks
from tamis.voxel.tensor import VoxelTensor


def scene(points=800, size=16, *, channels=4, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coords = torch.randint(0, size, (points, 4), generator=generator)
    coords[:, 0] %= batch
    coords = coords.unique(dim=0).int()
    return VoxelTensor(coords, torch.randn(len(coords), channels, generator=generator))


@pytest.mark.parametrize("reduce", ["max", "mean", "sum"])
@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 3)])
def test_pooling_equals_dense_pooling_over_what_exists(reduce, size, stride):
    x = scene(size=12)
    at = x.coords.long().unbind(1)
    fill = float("-inf") if reduce == "max" else 0.0
    grid = torch.full((2, 4, 12, 12, 12), fill)
    grid[at[0], :, at[1], at[2], at[3]] = x.feats
    there = torch.zeros(2, 1, 12, 12, 12)
    there[at[0], 0, at[1], at[2], at[3]] = 1
    pad = (size - 1) // 2
    if reduce == "max":
        dense = torch.nn.functional.max_pool3d(grid, size, stride, pad)
    else:
        dense = torch.nn.functional.avg_pool3d(grid, size, stride, pad) * size**3
        if reduce == "mean":
            dense = dense / (torch.nn.functional.avg_pool3d(there, size, stride, pad) * size**3)
    dense = dense.nan_to_num(nan=0.0, neginf=0.0)  # a cell whose centred window misses its voxels is 0
    y = voxel.Pool3d(reduce, size, stride)(x)
    cell = y.coords.long()
    cell[:, 1:] //= stride
    cell = cell.unbind(1)
    torch.testing.assert_close(y.feats, dense[cell[0], :, cell[1], cell[2], cell[3]], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("reduce", ["max", "mean", "sum"])
def test_global_pooling_in_and_outside_of_a_network(reduce):
    x = scene()
    expected = []
    for number in range(2):
        rows = x.feats[x.coords[:, 0] == number]
        expected.append({"max": rows.amax(0), "mean": rows.mean(0), "sum": rows.sum(0)}[reduce])
    torch.testing.assert_close(voxel.GlobalPool(reduce)(x), torch.stack(expected))
    net = voxel.Sequential(voxel.ReLU(), voxel.GlobalPool(reduce))
    torch.testing.assert_close(net(x), voxel.GlobalPool(reduce)(x.with_feats(x.feats.relu())))


@pytest.mark.parametrize("reduce", ["max", "mean", "sum"])
def test_pooling_has_gradients(reduce):
    x = scene(points=30, size=4)
    pool = voxel.Pool3d(reduce, 2, 2)

    def run(feats):
        return pool(x.with_feats(feats)).feats

    assert torch.autograd.gradcheck(run, (x.feats.double().requires_grad_(),))


def trained_norms(net):
    """Batch norms that are not the identity."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return net


@pytest.mark.parametrize("name", networks.__all__)
def test_networks_run_fused_equals_unfused_and_train(name):
    torch.manual_seed(0)
    x = scene(channels=3)
    heads = {"out_channels": 6} if name.startswith("MinkUNet") else {}
    narrow = {"width": 0.25} if "UNet" in name else {}
    net = trained_norms(getattr(networks, name)(3, **heads, **narrow)).eval()
    with torch.no_grad():
        fused = net(x)
    unfused = net(x)
    if isinstance(fused, dict):
        assert [y.stride[0] for y in fused.values()] == [1, 2, 4, 8, 8]
        fused, unfused = fused["encoded"], unfused["encoded"]
    torch.testing.assert_close(fused.feats, unfused.feats, atol=1e-4, rtol=1e-4)
    assert fused.feats.abs().max() > 1e-3
    if "UNet" in name:
        assert torch.equal(fused.coords, x.coords)
        assert fused.channels == (6 if heads else net.feature_channels)
    net.train()
    y = net(x)
    (y["encoded"] if isinstance(y, dict) else y).feats.square().mean().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize(
    ("name", "millions"),
    [("MinkUNet14", 11.6), ("MinkUNet18", 21.7), ("MinkUNet34", 37.9), ("MinkUNet42", 21.7)],
)
def test_parameter_counts_are_the_published_ones(name, millions):
    net = getattr(networks, name)(3, 20)
    assert sum(parameter.numel() for parameter in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)


def test_half_precision_network():
    x = scene()
    net = voxel.Sequential(voxel.SubmanifoldConv3d(4, 8), voxel.ReLU(), voxel.SparseConv3d(8, 8)).bfloat16()
    y = net(x.to(torch.bfloat16))
    assert y.feats.dtype == torch.bfloat16


def test_add_and_concat_need_the_same_voxels():
    x = scene()
    assert torch.equal((x + x).feats, 2 * x.feats)
    assert voxel.concat(x, x).channels == 8
    with pytest.raises(ValueError, match="different voxels"):
        x + scene(seed=3)

    class Mixed(voxel.VoxelNetwork):
        def __init__(self):
            super().__init__()
            self.halve = voxel.SparseConv3d(4, 4, 2, 2)

        def body(self, x):
            return x + self.halve(x)

    with pytest.raises(ValueError, match="same level"):
        Mixed()(x)


def test_networks_train_to_fit_a_label():
    """Twenty steps on one scene lower the loss: gradients point downhill through every kind of layer."""
    torch.manual_seed(0)
    x = scene(channels=3)
    label = (x.coords[:, 3] > 8).long()
    net = networks.MinkUNet14(3, 2, width=0.25)
    plan = voxel.plan(net, x.coords)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    losses = []
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(net(x, plan=plan).feats, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_tensor_errors_and_repr():
    x = scene()
    assert repr(x) == f"VoxelTensor({len(x)} voxels of stride (1, 1, 1), 4 channels, torch.float32, cpu)"
    assert repr(voxel.SparseConv3d(4, 8, 3, rule="spconv")).startswith(
        "SparseConv3d(4, 8, kernel_size=(3, 3, 3)"
    )
    with pytest.raises(ValueError, match="feats needs shape"):
        VoxelTensor(x.coords, x.feats[1:])
    with pytest.raises(ValueError, match="with_feats"):
        x.with_feats(x.feats[1:])
    with pytest.raises(ValueError, match="three ints"):
        voxel.SubmanifoldConv3d(4, 4, (3, 3))
    with pytest.raises(ValueError, match="groups must divide both"):
        voxel.SubmanifoldConv3d(4, 6, groups=4)
    with pytest.raises(ValueError, match='expected "minkowski" or "spconv"'):
        voxel.SparseConv3d(4, 4, rule="torchsparse")
    with pytest.raises(ValueError, match='expected "max", "mean" or "sum"'):
        voxel.Pool3d("median")(x)

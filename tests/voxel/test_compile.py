"""torch.compile, torch.export and autocast see a planned network as one graph of operators."""

import io

import pytest
import torch
from torch import Tensor, nn

from tamis import voxel
from tamis.voxel.networks import MinkUNet14, SparseResNet21D
from tamis.voxel.tensor import VoxelTensor


def scene(points: int = 400, seed: int = 0) -> VoxelTensor:
    generator = torch.Generator().manual_seed(seed)
    coords = torch.randint(0, 16, (points, 4), generator=generator)
    coords[:, 0] %= 2
    coords = coords.unique(dim=0).int()
    coords = coords[torch.randperm(len(coords), generator=generator)]
    return VoxelTensor(coords, torch.randn(len(coords), 4, generator=generator))


def small_net() -> voxel.VoxelNetwork:
    torch.manual_seed(0)
    return voxel.Sequential(
        voxel.ConvBlock(voxel.SubmanifoldConv3d(4, 8)),
        voxel.ConvBlock(voxel.SparseConv3d(8, 8)),
        voxel.ResidualBlock(8, 12),
        voxel.SparseConvTranspose3d(12, 4),
        voxel.Linear(4, 5),
    ).eval()


@pytest.fixture(autouse=True)
def fresh() -> None:
    torch._dynamo.reset()


def test_a_published_network_is_one_graph() -> None:
    x, net = scene(), SparseResNet21D(4).eval()
    plan = voxel.plan(net, x)
    with torch.no_grad():
        found = torch._dynamo.explain(net)(x, plan=plan)
    assert (found.graph_count, found.graph_break_count) == (1, 0)


def test_a_unet_compiles_whole_without_a_call_before() -> None:
    x, net = scene(), MinkUNet14(4, 5, width=0.25).eval()
    plan = voxel.plan(net, x)
    with torch.no_grad():
        y = torch.compile(net, fullgraph=True, backend="aot_eager")(x, plan=plan)
        assert isinstance(y, VoxelTensor)
        assert torch.equal(y.feats, net(x).feats)
        assert torch.equal(y.coords, x.coords)


@pytest.mark.slow
def test_one_compiled_network_serves_many_scenes() -> None:
    net = small_net()
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    counters = torch._dynamo.utils.counters["stats"]
    counters.clear()
    with torch.no_grad():
        for seed, points in enumerate((300, 400, 500, 350)):
            x = scene(points, seed)
            torch.testing.assert_close(compiled(x, plan=voxel.plan(net, x)).feats, net(x).feats)
    assert counters["unique_graphs"] <= 2  # the second one is for any number of voxels


def test_a_compiled_network_trains() -> None:
    x, net = scene(), small_net().train()
    plan = voxel.plan(net, x)
    gradients = []
    for run in (net, torch.compile(net, fullgraph=True, backend="aot_eager")):
        run(x, plan=plan).feats.square().sum().backward()
        gradients.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
        net.zero_grad()
    assert len(gradients[0]) == len(list(net.parameters()))
    for ours, eager in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, eager)


def test_a_compiled_network_refuses_other_coordinates() -> None:
    x, net = scene(), small_net()
    plan = voxel.plan(net, x)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        compiled(x, plan=plan)
        moved = x.coords.clone()
        moved[0, 1] += 1
        with pytest.raises(ValueError, match="are not those of x"):
            compiled(VoxelTensor(moved, x.feats), plan=plan)
        x.coords[0, 1] += 1
        with pytest.raises(ValueError, match="are not those of x"):
            compiled(x, plan=plan)


def test_without_a_plan_the_network_is_right_all_the_same() -> None:
    x, net = scene(), small_net()
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(net, backend="eager")(x).feats, net(x).feats)


def test_a_network_is_exported_with_its_plan() -> None:
    x, net = scene(), small_net()
    plan = voxel.plan(net, x)
    with torch.no_grad():
        exported = torch.export.export(net, (x,), {"plan": plan})
        other = x.with_feats(torch.randn_like(x.feats))
        y = exported.module()(other, plan=plan)
        assert torch.equal(y.feats, net(other, plan=plan).feats)
        assert torch.equal(y.coords, x.coords)
        with pytest.raises(ValueError, match="are not those of x"):
            exported.module()(VoxelTensor(x.coords.flip(0), x.feats), plan=plan)
        assert torch.equal(net(x, plan=plan).feats, net(x).feats)  # the plan holds no stand-ins now


class Planned(nn.Module):
    """A network over fixed voxels, as a function of their features."""

    def __init__(self, network: nn.Module, x: VoxelTensor) -> None:
        super().__init__()
        self.network, self.coords, self.plan = network, x.coords, voxel.plan(network, x)

    def forward(self, feats: Tensor) -> Tensor:
        y: VoxelTensor = self.network(VoxelTensor(self.coords, feats, batch_size=2), plan=self.plan)
        return y.feats


def test_an_exported_network_is_saved_and_loaded() -> None:
    x, net = scene(), small_net()
    file = io.BytesIO()
    with torch.no_grad():
        torch.export.save(torch.export.export(Planned(net, x), (x.feats,)), file)
        file.seek(0)
        loaded = torch.export.load(file).module()
        feats = torch.randn_like(x.feats)
        assert torch.equal(loaded(feats), net(x.with_feats(feats)).feats)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_is_that_of_a_dense_convolution(training: bool, dtype: torch.dtype) -> None:
    """A Linear before a convolution gives half precision, which the convolution takes; its result has autocast's dtype."""
    x, net = scene(), small_net().train(training)
    net.layers.insert(0, voxel.Linear(4, 4))
    plan = voxel.plan(net, x)
    with torch.set_grad_enabled(training):
        expected = net(x, plan=plan).feats
        with torch.autocast("cpu", dtype=dtype):
            y = net(x, plan=plan).feats
            alone = voxel.SubmanifoldConv3d(4, 8)(x).feats
            x64 = x.to(torch.float64)  # left alone, as by torch
            wide = net.double()(x64, plan=voxel.plan(net, x64, dataflow="weight_stationary")).feats
    assert (y.dtype, alone.dtype, wide.dtype) == (dtype, dtype, torch.float64)
    torch.testing.assert_close(y.float(), expected, atol=0.1, rtol=0.1)


def test_gradients_under_autocast_are_those_of_the_parameters_dtype() -> None:
    x, net = scene(), small_net()
    x = x.with_feats(x.feats.requires_grad_())
    expected = torch.autograd.grad(net(x).feats.square().sum(), [x.feats, *net.parameters()])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = net(x).feats.float().square().sum()
    for ours, exact in zip(torch.autograd.grad(loss, [x.feats, *net.parameters()]), expected, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - exact).norm() <= 0.05 * exact.norm()

"""A block fuses its parts where nobody looks at them, and gives the same numbers where somebody does."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from tamis import voxel


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(0)
    return voxel.voxelize(
        torch.rand(500, 3, generator=generator) * 3, 0.2, torch.randn(500, 4, generator=generator)
    )


def block(**norm):
    torch.manual_seed(1)
    made = voxel.ConvBlock(voxel.SubmanifoldConv3d(4, 8, bias=True))
    if norm:
        made.norm = voxel.BatchNorm(8, **norm)
    if made.norm.running_mean is not None:
        made.norm.running_mean.uniform_(-0.5, 0.5)
        made.norm.running_var.uniform_(0.5, 2)
    return made.eval()


def by_hand(made, x):
    """The block's parts one after the other, none of them fused."""
    with torch.enable_grad():
        conv, norm = made.conv, made.norm
        y = conv(x)
        return y.with_feats(norm(y).feats.relu())


def old_weight_norm(conv):
    with pytest.warns(FutureWarning, match="deprecated"):
        nn.utils.weight_norm(conv)
    conv.weight_g.data.mul_(3)


def pruned(conv):
    prune.l1_unstructured(conv, "weight", amount=0.5)
    conv.weight_orig.data.mul_(2)


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


CHANGES = {
    "nothing": lambda conv: None,
    "prune": pruned,
    "old spectral_norm": nn.utils.spectral_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "old weight_norm": old_weight_norm,
    "weight_norm": lambda conv: parametrizations.weight_norm(conv),
    "parametrization": lambda conv: parametrize.register_parametrization(conv, "weight", Doubled()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_weights_made_from_others_are_the_present_ones(change, x):
    made = block()
    CHANGES[change](made.conv)
    if change == "weight_norm":
        made.conv.parametrizations.weight.original0.data.mul_(3)
    expected = by_hand(made, x).feats
    with torch.no_grad():
        torch.testing.assert_close(made(x).feats, expected, atol=1e-5, rtol=1e-5)


def test_hooks_fire_once_and_change_what_they_return(x):
    made, seen = block(), []
    made.conv.register_forward_pre_hook(lambda module, given: seen.append(("before conv", len(given[0]))))
    made.conv.register_forward_hook(lambda module, given, y: y.with_feats(2 * y.feats))
    made.norm.register_forward_hook(lambda module, given, y: seen.append(("after norm", y.channels)))
    with torch.no_grad():
        y = made(x)
    assert seen == [("before conv", len(x)), ("after norm", 8)]
    torch.testing.assert_close(y.feats, by_hand(made, x).feats)


def test_hooks_of_all_modules_see_the_parts(x):
    made, seen = block(), []
    handle = nn.modules.module.register_module_forward_hook(
        lambda module, *_: seen.append(type(module).__name__)
    )
    try:
        with torch.no_grad():
            made(x)
    finally:
        handle.remove()
    assert seen[-3:] == ["SubmanifoldConv3d", "BatchNorm", "ConvBlock"]


def test_a_subclass_keeps_its_own_forward(x):
    class Twice(voxel.SubmanifoldConv3d):
        def forward(self, x):
            return super().forward(x.with_feats(2 * x.feats))

    made = block()
    own = voxel.ConvBlock(Twice(4, 8, bias=True)).eval()
    own.load_state_dict(made.state_dict())
    with torch.no_grad():
        y = own(x)
        torch.testing.assert_close(y.feats, made(x.with_feats(2 * x.feats)).feats)
        made.conv.forward = lambda x: own.conv(x)
        torch.testing.assert_close(made(x).feats, y.feats)


@pytest.mark.parametrize(
    "norm",
    [{"affine": False}, {"track_running_stats": False}, {"affine": False, "track_running_stats": False}],
    ids=str,
)
def test_norms_without_weights_or_statistics(norm, x):
    made = block(**norm)
    expected = by_hand(made, x).feats
    with torch.no_grad():
        torch.testing.assert_close(made(x).feats, expected, atol=1e-5, rtol=1e-5)


def test_a_norm_in_training_mode_uses_the_batch_also_inside_of_a_block_in_eval_mode(x):
    made = block()
    made.norm.train()
    with torch.no_grad():
        y = made.conv(x).feats
        expected = nn.functional.batch_norm(y, None, None, made.norm.weight, made.norm.bias, True).relu()
        torch.testing.assert_close(made(x).feats, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "norm", [nn.Identity(), nn.LayerNorm(8), nn.GroupNorm(2, 8), nn.BatchNorm1d(8)], ids=repr
)
def test_norms_of_torch_take_the_features(norm, x):
    made = voxel.ConvBlock(voxel.SubmanifoldConv3d(4, 8), norm=norm).eval()
    with torch.no_grad():
        torch.testing.assert_close(made(x).feats, norm(made.conv(x).feats).relu())
        chain = voxel.Sequential(made.conv, norm, nn.ReLU()).eval()
        torch.testing.assert_close(chain(x).feats, made(x).feats)
    made.train()(x).feats.sum().backward()
    assert made.conv.weight.grad.abs().sum() > 0


def test_layers_of_torch_in_a_chain(x):
    linear = parametrize.register_parametrization(nn.Linear(4, 4), "weight", Doubled())
    chain = voxel.Sequential(nn.Sequential(voxel.SubmanifoldConv3d(4, 4)), linear, nn.Dropout()).eval()
    with torch.no_grad():
        expected = linear(chain.layers[0](x).feats)
        torch.testing.assert_close(chain(x).feats, expected)


def test_torchs_conversion_to_sync_batch_norm():
    x = voxel.voxelize(torch.rand(500, 3) * 9, 0.2, torch.randn(500, 4))
    net = voxel.networks.MinkUNet14(4, 3, width=0.25)
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(net))
    assert any(isinstance(module, nn.SyncBatchNorm) for module in converted.modules())
    torch.testing.assert_close(converted(x).feats, net(x).feats)
    with torch.no_grad():
        torch.testing.assert_close(converted.eval()(x).feats, net.eval()(x).feats)


def test_training_where_the_coarsest_level_is_one_voxel(x):
    torch.manual_seed(0)
    net = voxel.networks.MinkUNet14(4, 3, width=0.25).train()
    small = voxel.voxelize(torch.rand(60, 3) * 0.7, 0.1, torch.randn(60, 4))
    net(small).feats.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    assert all(buffer.isfinite().all() for buffer in net.buffers())


def test_a_single_voxel_is_normalised_by_the_running_statistics_and_leaves_them_alone():
    norm = voxel.BatchNorm(2).train()
    norm.running_mean.copy_(torch.tensor([1.0, 2.0]))
    norm.running_var.copy_(torch.tensor([4.0, 9.0]))
    one = voxel.VoxelTensor(torch.zeros(1, 4, dtype=torch.int32), torch.tensor([[5.0, 8.0]]))
    torch.testing.assert_close(norm(one).feats, torch.tensor([[2.0, 2.0]]), atol=1e-5, rtol=1e-5)
    assert norm.running_mean.tolist() == [1.0, 2.0]
    bare = voxel.BatchNorm(2, track_running_stats=False).train()
    nn.init.constant_(bare.bias, 0.5)
    assert bare(one).feats.tolist() == [[0.5, 0.5]]


def _train(rank, address, gradients):
    torch.distributed.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=2)
    torch.manual_seed(0)
    net = voxel.networks.MinkUNet14(4, 3, width=0.25)
    net.unused = nn.Linear(3, 3)
    parallel = nn.parallel.DistributedDataParallel(net, find_unused_parameters=True)
    generator = torch.Generator().manual_seed(rank)
    for _ in range(2):
        x = voxel.voxelize(
            torch.rand(300, 3, generator=generator) * 2, 0.2, torch.randn(300, 4, generator=generator)
        )
        parallel.zero_grad()
        parallel(x).feats.square().sum().backward()
    gradients[rank] = torch.cat(
        [p.grad.flatten() for name, p in net.named_parameters() if "unused" not in name]
    )
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_data_parallel_training_with_unused_parameters(tmp_path):
    context = torch.multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        gradients = manager.dict()
        torch.multiprocessing.spawn(_train, (tmp_path / "meeting", gradients), nprocs=2)
        first, second = gradients[0], gradients[1]
    assert torch.equal(first, second)
    assert first.abs().sum() > 0

"""Pooling as an operator: gradients, tracing, sums that no type of half precision could hold."""

import pytest
import torch

from tamis import voxel
from tamis.ops.sparse_pool import global_pool, merge_rows, sparse_pool


def a_map(kernel_size=3, stride=2, points=200):
    coords = torch.randint(0, 9, (points, 4), generator=torch.Generator().manual_seed(0))
    coords[:, 0] %= 2
    return voxel.kernel_map(coords.unique(dim=0).int(), kernel_size, stride)


REDUCE = pytest.mark.parametrize("reduce", ["max", "sum", "mean"])


@REDUCE
def test_first_and_second_gradients(reduce):
    found = a_map(points=25)
    feats = torch.randn(found.in_rows, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: sparse_pool(x, found, reduce), (feats,))
    assert torch.autograd.gradgradcheck(lambda x: sparse_pool(x, found, reduce), (feats,))


def test_gradients_by_hand():
    coords = torch.tensor([[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [0, 2, 0, 0]], dtype=torch.int32)
    found = voxel.kernel_map(coords, 2, 2)  # the first three voxels, and the last alone
    for reduce, expected in (("sum", [6.0, 6, 6, 10]), ("mean", [2.0, 2, 2, 10]), ("max", [3.0, 0, 3, 10])):
        feats = torch.tensor([[5.0], [1.0], [5.0], [-1.0]], requires_grad=True)
        sparse_pool(feats, found, reduce).backward(torch.tensor([[6.0], [10.0]]))
        assert feats.grad.flatten().tolist() == expected


@REDUCE
def test_the_operator_keeps_torchs_rules(reduce):
    pairs = a_map().pair_lists
    feats = torch.randn(int(pairs.second.max()) + 500, 3, requires_grad=True)
    torch.library.opcheck(torch.ops.tamis.sparse_pool.default, (feats, pairs.tensors, pairs.sizes, reduce))


@REDUCE
def test_forward_mode_and_vmap_give_what_the_reference_gives(reduce):
    found = a_map()
    generator = torch.Generator().manual_seed(2)
    x, along = torch.randn(2, found.in_rows, 3, generator=generator)
    _, tangent = torch.func.jvp(lambda x: sparse_pool(x, found, reduce), (x,), (along,))
    step = 1e-7
    ahead, back = (sparse_pool(x.double() + s * along.double(), found, reduce) for s in (step, -step))
    torch.testing.assert_close(tangent.double(), (ahead - back) / (2 * step), atol=1e-4, rtol=1e-4)
    both = torch.vmap(lambda x: sparse_pool(x, found, reduce))(torch.stack([x, along]))
    torch.testing.assert_close(both[1], sparse_pool(along, found, reduce))


def test_gradients_of_half_precision_are_summed_in_float64():
    """An input in 9,261 windows gets a gradient of 1 from each; float16 stops counting at 2,048."""
    coords = torch.zeros(9261, 4, dtype=torch.int32)
    coords[:, 1:] = torch.cartesian_prod(*[torch.arange(21)] * 3)
    spread = voxel.kernel_map(coords, 21, 21, padding=0).transposed()
    feats = torch.ones(1, 1, dtype=torch.float16, requires_grad=True)
    for reduce in ("sum", "mean", "max"):
        feats.grad = None
        sparse_pool(feats, spread, reduce).sum().backward()
        assert feats.grad.item() == 9264.0  # in steps of 8


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("grad", [False, True])
def test_means_of_half_precision_do_not_overflow(dtype, grad):
    feats = torch.full((1000, 4), 100.0, dtype=dtype, requires_grad=grad)
    rows = torch.arange(1000) // 500
    assert global_pool(feats, rows, 3, "mean").tolist() == [[100.0] * 4] * 2 + [[0.0] * 4]
    merged = merge_rows(feats, torch.arange(1000).flip(0), rows, 2, "mean")
    assert merged.tolist() == [[100.0] * 4] * 2
    coords = torch.zeros(1000, 4, dtype=torch.int32)
    coords[:, 1:] = torch.cartesian_prod(*[torch.arange(10)] * 3)
    wide = voxel.kernel_map(coords, 10, 10, padding=0)
    assert sparse_pool(feats, wide, "mean").tolist() == [[100.0] * 4]


@pytest.mark.parametrize("grad", [False, True])
def test_sums_of_float32_are_those_of_float64(grad):
    feats = (torch.rand(100_000, 2, generator=torch.Generator().manual_seed(0)) * 65535).requires_grad_(grad)
    rows = torch.zeros(100_000, dtype=torch.int64)
    exact = feats.detach().double().sum(0).float()
    assert torch.equal(global_pool(feats, rows, 1, "sum")[0].detach(), exact)
    assert torch.equal(merge_rows(feats, torch.arange(100_000), rows, 1, "sum")[0].detach(), exact)


def test_errors_say_what_fits():
    found = a_map()
    with pytest.raises(ValueError, match="input rows"):
        sparse_pool(torch.ones(3, 2), found)
    with pytest.raises(ValueError, match="float16 or float64 is needed"):
        sparse_pool(torch.ones(found.in_rows, 2, dtype=torch.int64), found)
    with pytest.raises(ValueError, match="reduce='median'"):
        global_pool(torch.ones(3, 2), torch.zeros(3).long(), 1, "median")

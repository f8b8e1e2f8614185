"""Kernels read by address: whatever became of the tensors, a call is right or refused, and never reads beyond them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

import tamis
from tamis import voxel
from tamis.nn import SparseLinear
from tamis.ops.sparse_conv import sparse_conv
from tamis.ops.spmm import SpmmPlan

FAR = 2**30


def matrix() -> tamis.CSR:
    g = torch.Generator().manual_seed(0)
    w = torch.randn(64, 96, generator=g)
    return tamis.CSR.from_dense(w * (torch.rand(64, 96, generator=g) < 0.2))


B = torch.randn(96, 8, generator=torch.Generator().manual_seed(1))


def become(tensor: Tensor, other: Tensor) -> None:
    tensor.data = other


def give_back(tensor: Tensor) -> None:
    tensor.untyped_storage().resize_(0)


@pytest.mark.parametrize("kernel", ["cpu/spmm_csr", "cpu/spmv_window"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: a.col_indices.fill_(FAR), r"col_indices must lie in \[0, 96\), but row 0 holds"),
        (lambda a: a.crow_indices[5:-1].fill_(FAR), "crow_indices must not descend"),
        (lambda a: a.crow_indices[1:2].fill_(-FAR), "crow_indices must not descend"),
    ],
)
def test_indices_written_in_place_are_found_by_the_next_plan(
    kernel: str, spoil: Callable[[tamis.CSR], object], message: str
) -> None:
    a = matrix()
    spoil(a)
    with pytest.raises(ValueError, match=message):
        tamis.plan_spmm(a, 8, kernel=kernel)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: a.values.resize_(1), "the plan is for 1197 stored values, but a.values has 1"),
        (
            lambda a: become(a.values, torch.ones(3)),
            "the plan is for 1197 stored values, but a.values has 3",
        ),
    ],
)
def test_values_that_no_longer_fit_their_structure(
    spoil: Callable[[tamis.CSR], object], message: str
) -> None:
    a = matrix()
    assert a.nnz == 1197
    plan = tamis.plan_spmm(a, 8)
    spoil(a)
    with pytest.raises(ValueError, match=message):
        tamis.spmm(a, B, plan=plan)


def test_values_whose_memory_is_gone() -> None:
    a = matrix()
    give_back(a.values)
    with pytest.raises(RuntimeError, match="it holds no numbers"):
        tamis.spmm(a, B)


@pytest.mark.parametrize("n", [1, 8])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: become(t, torch.ones(1)), "needs as many contiguous values, but got shape .1,."),
        (
            lambda t: become(t, torch.ones(2 * t.numel())[::2]),
            r"contiguous values, but got .* strides .2,.",
        ),
        (give_back, "memory of an operand was given back"),
    ],
)
def test_values_of_a_layer_that_were_replaced(
    n: int, spoil: Callable[[Tensor], object], message: str
) -> None:
    layer = SparseLinear(matrix(), n=n)
    spoil(layer.values)
    with torch.no_grad(), pytest.raises(ValueError, match=message):
        layer(B.T[:n])


def test_a_row_scale_that_was_resized() -> None:
    q = tamis.formats.quantize_rows(matrix())
    q.row_scale.resize_(1)
    with pytest.raises(ValueError, match=r"64 x 96, but came with .* row_scale of shape .1,."):
        tamis.spmm(q, B)


def test_an_operand_whose_memory_is_gone() -> None:
    b = B.clone()
    give_back(b)
    with pytest.raises(ValueError, match="memory of an operand was given back"):
        tamis.spmm(matrix(), b)


def test_lazily_negated_operands() -> None:
    """``z.conj().imag`` is the same memory with a sign to come."""
    a, z = matrix(), torch.complex(B, B).conj().imag
    assert z.is_neg()
    assert torch.equal(tamis.spmm(a, z), tamis.spmm(a, -B))
    assert torch.equal(tamis.spmm(a, torch._neg_view(B)), tamis.spmm(a, -B))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p, v: torch.ops.tamis.spmm_pack(torch.ones(3), p.positions),
            "a position lies beyond the 3 values",
        ),
        (lambda p, v: torch.ops.tamis.spmm_pack(torch.ones(3), p.positions.long()), "int32 positions"),
        (lambda p, v: torch.ops.tamis.spmm_pack(torch.ones(3).double(), p.positions), "of 1, 2 or 4 bytes"),
        (lambda p, v: run(p, v[:5]), "needs as many contiguous values"),
        (lambda p, v: run(p, v, b=B[:7]), "64 x 96, but came with an operand of shape .7, 8."),
        (lambda p, v: run(p, v, rows=10**6), "needs blocks of shape"),
    ],
)
def test_operators_called_by_hand(call: Callable[..., object], message: str) -> None:
    a = matrix()
    plan = tamis.plan_spmm(a, 8)
    with pytest.raises(ValueError, match=message):
        call(plan, plan.packed_values(a.values))


def run(plan: SpmmPlan, values: Tensor, b: Tensor = B, rows: int = 64) -> Tensor:
    sizes = [rows, *plan.packed.sizes[1:]]
    return torch.ops.tamis.spmm(values, None, b, None, plan.packed.tensors, sizes, plan.kernel, None, False)


def cloud() -> tuple[Tensor, Tensor, voxel.KernelMap]:
    """Features, weights and the map of 270 voxels; a map of its own for each test, as some are spoilt."""
    g = torch.Generator().manual_seed(0)
    coords = torch.nn.functional.pad(
        torch.unique(torch.randint(0, 12, (300, 3), generator=g), dim=0).int(), (1, 0)
    )
    return (
        torch.randn(len(coords), 8, generator=g),
        torch.randn(27, 8, 16, generator=g),
        voxel.kernel_map(coords),
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda m: {"first": m.first + FAR}, r"first runs from .* expected rows in \[0, 2\d\d\)"),
        (lambda m: {"second": m.second - 1}, "second runs from -1"),
        (
            lambda m: {"first": m.first.flip(0), "second": m.second.flip(0)},
            "first does not ascend within a list",
        ),
        (lambda m: {"second": m.second[:3]}, r"first has 4\d\d entries, second 3"),
        (lambda m: {"first": m.first.long()}, "first is torch.int64"),
        (lambda m: {"first": torch.stack([m.first, m.first], 1)[:, 0]}, "expected contiguous int32"),
        (lambda m: {"lists": m.lists + torch.tensor([0, FAR, 0])}, r"a list runs beyond the 4\d\d pairs"),
        (lambda m: {"lists": m.lists + torch.tensor([0, 0, 7])}, r"roles \[7, 8, 9\], expected 0, 1 or 2"),
        (lambda m: {"lists": m.lists.int()}, "lists is torch.int32"),
        (lambda m: {"out_rows": 10}, "expected the same with lists of several roles"),
    ],
)
def test_kernel_maps_made_by_hand(
    changed: Callable[[voxel.KernelMap], dict[str, object]], message: str
) -> None:
    feats, weight, neighbours = cloud()
    with pytest.raises(ValueError, match=message):
        sparse_conv(feats, weight, replace(neighbours, **changed(neighbours)))


def test_a_map_written_in_place() -> None:
    feats, weight, neighbours = cloud()
    neighbours.first.fill_(FAR)
    with pytest.raises(ValueError, match="first does not ascend"):
        sparse_conv(feats, weight, neighbours)


def test_arguments_of_another_kind() -> None:
    feats, weight, neighbours = cloud()
    with pytest.raises(TypeError, match=r"kernel_map is NoneType, expected what voxel\.kernel_map returns"):
        sparse_conv(feats, weight, None)
    with pytest.raises(TypeError, match="feats is ndarray, expected a dense tensor"):
        sparse_conv(feats.numpy(), weight, neighbours)
    with pytest.raises(TypeError, match=r"feats is a tensor of layout torch\.sparse_coo"):
        sparse_conv(feats.to_sparse(), weight, neighbours)
    with pytest.raises(TypeError, match="bias is float"):
        sparse_conv(feats, weight, neighbours, bias=1.0)
    with pytest.raises(ValueError, match="groups=0, expected a whole number, 1 or more"):
        sparse_conv(feats, weight, neighbours, groups=0)


def test_features_without_memory_or_with_a_sign_to_come() -> None:
    feats, weight, neighbours = cloud()
    expected = sparse_conv(-feats, weight, neighbours)
    assert torch.equal(sparse_conv(torch._neg_view(feats), weight, neighbours), expected)
    give_back(feats)
    with pytest.raises(ValueError, match="memory of an operand was given back"):
        sparse_conv(feats, weight, neighbours)


def test_kernels_of_a_billion_offsets() -> None:
    with pytest.raises(ValueError, match="1,003,003,001 offsets"):
        voxel.kernel_map(torch.zeros(1, 4, dtype=torch.int32), kernel_size=1001)
    with pytest.raises(ValueError, match="1,003,003,001 offsets"):
        voxel.SubmanifoldConv3d(1, 1, kernel_size=1001)

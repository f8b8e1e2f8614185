"""Gradients of sparse products: right to every order, no dense matrix on the way, Aᵀ made once and kept no longer than A."""

import copy
import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import tamis
from tamis.nn import SparseLinear
from tamis.ops.spmm import KERNELS, transposed

KERNEL_NAMES = [k.name for k in KERNELS if torch.float32 in k.dtypes]


def vectors() -> tamis.BSR:
    """Of a shape that every kernel takes, with several windows and blocks of columns, an empty group of rows and an empty column."""
    torch.manual_seed(0)
    w = torch.randn(48, 300) * (torch.rand(12, 300) < 0.2).repeat_interleave(4, 0)
    w[8:12], w[:, 7] = 0, 0
    return tamis.BSR.from_dense(w, blocksize=(4, 1))


@pytest.mark.parametrize("layout", ["spmm", "linear"])
@pytest.mark.parametrize("kernel", KERNEL_NAMES)
def test_second_derivatives_are_those_of_dense(kernel: str, layout: str) -> None:
    a = vectors()
    plan = tamis.plan_spmm(a, 9, kernel=kernel)
    values, x = a.values.clone().requires_grad_(), torch.randn(9, 300, requires_grad=True)

    def sparse(values: Tensor, x: Tensor) -> Tensor:
        b = a.with_values(values)
        return tamis.spmm(b, x.T, plan=plan).T if layout == "spmm" else tamis.linear(x, b, plan=plan)

    def dense(values: Tensor, x: Tensor) -> Tensor:
        return x @ a.with_values(values).to_dense().T

    found = []
    for product in (sparse, dense):
        loss = product(values, x).pow(3).mean()
        first = torch.autograd.grad(loss, (values, x), create_graph=True)
        second = torch.autograd.grad(sum(g.pow(2).sum() for g in first), (values, x), create_graph=True)
        found.append([*first, *second, *torch.autograd.grad(sum(g.sum() for g in second), (values, x))])
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-4 * other.abs().max().item(), rtol=1e-4)


@pytest.mark.parametrize("kernel", KERNEL_NAMES)
def test_a_batch_of_gradients(kernel: str) -> None:
    a = vectors()
    values, x = a.values.clone().requires_grad_(), torch.randn(5, 300, requires_grad=True)
    batch = torch.randn(3, 5, 48)
    y = tamis.linear(x, a.with_values(values), plan=tamis.plan_spmm(a, 5, kernel=kernel))
    together = torch.autograd.grad(y, (values, x), batch, is_grads_batched=True, retain_graph=True)
    for i, upstream in enumerate(batch):
        for part, alone in zip(
            together, torch.autograd.grad(y, (values, x), upstream, retain_graph=True), strict=True
        ):
            torch.testing.assert_close(part[i], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kernel", KERNEL_NAMES)
@pytest.mark.parametrize("of", ["values", "x"])
def test_a_hessian_by_batches(kernel: str, of: str) -> None:
    """Second derivatives whose upstream gradients come as a batch."""
    a = vectors()
    plan = tamis.plan_spmm(a, 2, kernel=kernel)
    whole = {"values": a.values, "x": torch.randn(2, 300)}
    part = whole[of].flatten()[:20].clone()

    def loss(part: Tensor, product: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        filled = torch.cat([part, whole[of].flatten()[20:]]).view_as(whole[of])
        return product(**(whole | {of: filled})).pow(3).sum()

    ours, theirs = (
        torch.autograd.functional.hessian(lambda part, f=f: loss(part, f), part, vectorize=True)
        for f in (
            lambda values, x: tamis.linear(x, a.with_values(values), plan=plan),
            lambda values, x: x @ a.with_values(values).to_dense().T,
        )
    )
    assert theirs.any()
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_sums_in_float32(dtype: torch.dtype) -> None:
    a = vectors().to(dtype)
    values, x = a.values.clone().requires_grad_(), torch.randn(40, 300).to(dtype).requires_grad_()
    upstream = torch.randn(40, 48).to(dtype)
    grads = torch.autograd.grad(tamis.linear(x, a.with_values(values)), (values, x), upstream)
    w = a.to_dense().double()
    exact_values = a.with_values(values.double()).to_dense()
    (exact,) = torch.autograd.grad((x.detach().double() @ exact_values.T), values, upstream.double())
    assert [g.dtype for g in grads] == [dtype, dtype]
    torch.testing.assert_close(grads[0], exact.to(dtype), atol=2e-2, rtol=1e-2)
    torch.testing.assert_close(grads[1], (upstream.double() @ w).to(dtype), atol=2e-2, rtol=1e-2)


def test_same_bits_for_any_number_of_threads() -> None:
    a = vectors()
    values, x = a.values.clone().requires_grad_(), torch.randn(100, 300, requires_grad=True)
    upstream, before, found = torch.randn(100, 48), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            found.append(torch.autograd.grad(tamis.linear(x, a.with_values(values)), (values, x), upstream))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(g, h) for grads in found for g, h in zip(grads, found[0], strict=True))


@pytest.mark.parametrize("way", ["eager", "compiled"])
def test_the_transposed_structure_is_made_once_and_dies_with_the_layer(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(
        transposed,
        "_transpose",
        lambda packed, n, make=transposed._transpose: made.append(n) or make(packed, n),
    )
    layer = SparseLinear(vectors())
    own = layer.plan.nbytes
    run = torch.compile(layer, fullgraph=True, backend="aot_eager") if way == "compiled" else layer
    with torch.no_grad():
        layer(torch.randn(6, 300))
    layer(torch.randn(6, 300)).sum().backward()  # nobody asks for the gradient of x
    assert made == []
    assert layer.plan.nbytes == own
    for _ in range(3):
        run(torch.randn(6, 300, requires_grad=True)).sum().backward()
    assert made == [6]
    assert layer.plan.nbytes > own
    kept = len(transposed._KEPT)
    del layer, run
    torch._dynamo.reset()
    gc.collect()
    assert len(transposed._KEPT) == kept - 1


def test_derivatives_of_an_8_bit_product_are_those_of_the_exact_one() -> None:
    w = torch.randn(48, 64) * (torch.rand(48, 16) < 0.3).repeat_interleave(4, 1)
    a = tamis.formats.quantize_rows(tamis.BSR.from_dense(w, blocksize=(1, 4)))
    x, c = torch.randn(5, 64, requires_grad=True), torch.randn(5, 48, requires_grad=True)
    layer = SparseLinear(a, compute="int8")
    (grad_x,) = torch.autograd.grad(layer(x), x, c, create_graph=True)
    torch.testing.assert_close(grad_x, c @ a.to_dense(), atol=1e-5, rtol=1e-5)
    (grad_c,) = torch.autograd.grad(grad_x.pow(2).sum(), c)
    torch.testing.assert_close(grad_c, 2 * (c @ a.to_dense()) @ a.to_dense().T, atol=1e-4, rtol=1e-5)
    assert layer.plan.nbytes > layer.plan.packed.nbytes


def test_copies_train_on_their_own() -> None:
    layer = SparseLinear(vectors())
    x = torch.randn(6, 300, requires_grad=True)
    layer(x).sum().backward()
    twin = copy.deepcopy(layer)
    expected = (x.grad.clone(), layer.values.grad.clone())
    x.grad, twin.values.grad = None, None
    twin(x).sum().backward()
    assert torch.equal(x.grad, expected[0])
    assert torch.equal(twin.values.grad, expected[1])


def test_no_dense_matrix_is_made() -> None:
    """The weight would be 400 MB dense; a training step takes less than a fifth of that, structure of the transposed matrix included."""
    code = """
import torch, tamis
from tests import peak_memory
torch.manual_seed(0)
size, per_row = 10_000, 20
col = torch.randint(0, size // per_row, (size, per_row)) + torch.arange(per_row) * (size // per_row)
crow = torch.arange(0, size * per_row + 1, per_row)
matrix = tamis.CSR(crow.int(), col.flatten().int(), torch.randn(size * per_row), (size, size))
layer = tamis.nn.SparseLinear(matrix)
small = tamis.nn.SparseLinear(tamis.CSR.from_dense(torch.eye(8)))
small(torch.randn(3, 8, requires_grad=True)).sum().backward()  # loads what torch loads late
x = torch.randn(32, size, requires_grad=True)
before = peak_memory.reset()
layer(x).square().sum().backward()
grown = peak_memory.highest() - before
assert x.grad.any() and layer.values.grad.any()
print(grown * 1024 < size * size * 4 / 5, grown)
"""
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("True"), ended.stdout


@pytest.mark.parametrize("kernel", KERNEL_NAMES)
@pytest.mark.parametrize("by_rows", [True, False])
def test_operators_pass_the_checks_of_torch_library(kernel: str, by_rows: bool) -> None:
    a = vectors()
    plan = tamis.plan_spmm(a, 8, kernel=kernel)
    values = plan.packed_values(a.values).clone().requires_grad_()
    c, b = (torch.randn(8, size) if by_rows else torch.randn(size, 8) for size in a.shape)
    how = (plan.packed.tensors, plan.packed.sizes, plan.kernel, by_rows)
    ops = torch.ops.tamis
    torch.library.opcheck(ops.spmm_transposed.default, (values, None, c.requires_grad_(), *how))
    torch.library.opcheck(ops.sddmm.default, (c.requires_grad_(), b.requires_grad_(), *how))
    torch.library.opcheck(ops.spmm_unpack.default, (values, plan.positions, a.values.numel()))


def test_the_compiled_backward_holds_the_sparse_operators() -> None:
    from torch._dynamo.testing import AotEagerAndRecordGraphs

    layer, backend = SparseLinear(vectors(), nn.Parameter(torch.zeros(48))), AotEagerAndRecordGraphs()
    x = torch.randn(6, 300, requires_grad=True)
    torch.compile(layer, fullgraph=True, backend=backend)(x).sum().backward()
    (backward,) = backend.bw_graphs
    called = {str(node.target) for node in backward.graph.nodes}
    assert {"tamis.sddmm.default", "tamis.spmm_transposed.default"} <= called

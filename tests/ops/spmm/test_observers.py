"""Tracers, transforms and torch's defaults see the product as they see a dense one."""

import copy
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad

import tamis
from tamis.nn import SparseLinear

Module = Callable[[Tensor], Tensor]


@pytest.fixture(params=["CSR", "int8"])
def layers(request: pytest.FixtureRequest) -> tuple[SparseLinear, nn.Linear]:
    torch.manual_seed(0)
    dense = nn.Linear(64, 48)
    tamis.prune(dense, 0.8)
    matrix = tamis.CSR.from_dense(dense.weight.detach())
    if request.param == "int8":
        matrix = tamis.formats.quantize_rows(matrix)
    sparse = SparseLinear(matrix, dense.bias)
    return sparse.eval(), sparse.to_dense().eval()


def tangent(model: Module, x: Tensor) -> Tensor:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(model(forward_ad.make_dual(x, torch.ones_like(x)))).tangent


def gradient_of_gradient(model: Module, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(x).pow(3).sum(), x, create_graph=True)
    return torch.autograd.grad(gradient.pow(2).sum(), x)[0]


TRANSFORMS: dict[str, Callable[[Module, Tensor], Tensor]] = {
    "forward-mode AD": tangent,
    "jvp": lambda model, x: torch.func.jvp(model, (x,), (torch.ones_like(x),))[1],
    "vjp": lambda model, x: torch.func.vjp(model, x)[1](torch.ones(5, 48))[0],
    "vmap": lambda model, x: torch.func.vmap(model)(x),
    "jacrev": lambda model, x: torch.func.jacrev(model)(x),
    "jacfwd": lambda model, x: torch.func.jacfwd(model)(x),
    "double backward": gradient_of_gradient,
}


@pytest.mark.parametrize("gradients", [True, False], ids=["grad", "no_grad"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(layers: tuple[SparseLinear, nn.Linear], name: str, gradients: bool) -> None:
    if name == "double backward" and not gradients:
        return
    sparse, dense = layers
    x = torch.randn(5, 64)
    with torch.set_grad_enabled(gradients):
        ours, theirs = (TRANSFORMS[name](model, x) for model in (sparse, dense))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("gradients", [True, False], ids=["grad", "no_grad"])
def test_traced_by_jit(layers: tuple[SparseLinear, nn.Linear], gradients: bool) -> None:
    sparse, dense = layers
    with torch.set_grad_enabled(gradients):
        traced = torch.jit.trace(sparse, torch.randn(5, 64))
    for n in (1, 5, 300):
        x = torch.randn(n, 64)
        torch.testing.assert_close(traced(x), dense(x), atol=1e-5, rtol=1e-5)


def test_a_profiler_sees_the_operator(layers: tuple[SparseLinear, nn.Linear]) -> None:
    with torch.no_grad(), torch.profiler.profile() as profile:
        layers[0](torch.randn(5, 64))
    assert any(event.key == "tamis::spmm" for event in profile.key_averages())


@contextmanager
def torch_default(name: str) -> Iterator[None]:
    if name == "meta":
        with torch.device("meta"):
            yield
        return
    torch.set_default_dtype(getattr(torch, name))
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("default", ["float64", "bfloat16", "meta"])
@pytest.mark.parametrize("kernel", ["cpu/spmm_csr", "cpu/spmv_window"])
def test_torchs_defaults_change_nothing(kernel: str, default: str) -> None:
    torch.manual_seed(0)
    w = torch.randn(48, 64) * (torch.rand(48, 64) < 0.3)
    x, upstream = torch.randn(5, 64), torch.randn(5, 48)
    dense = nn.Linear(64, 48)
    dense.weight.data = w.clone()
    expected_y = dense(x)
    expected = [upstream @ w, (upstream.T @ x)[w != 0]]
    quantized = tamis.formats.quantize_rows(tamis.CSR.from_dense(w)).to_dense()
    with torch_default(default):
        a = tamis.CSR.from_dense(w)
        layer = SparseLinear(a, dense.bias, kernel=kernel)
        assert torch.equal(layer.weight, w)
        torch.testing.assert_close(copy.deepcopy(layer)(x), expected_y)
        values, x = a.values.clone().requires_grad_(), x.clone().requires_grad_()
        y = tamis.linear(x, a.with_values(values), plan=tamis.plan_spmm(a, 5, kernel=kernel))
        for ours, theirs in zip(torch.autograd.grad(y, (x, values), upstream), expected, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
        assert torch.equal(tamis.formats.quantize_rows(a).to_dense(), quantized)


def sparse(m: int = 48, k: int = 64) -> tuple[tamis.CSR, Tensor]:
    torch.manual_seed(0)
    w = torch.randn(m, k) * (torch.rand(m, k) < 0.3)
    return tamis.CSR.from_dense(w), w


def test_a_trace_without_a_plan() -> None:
    a, w = sparse()
    traced = torch.jit.trace(lambda b: tamis.spmm(a, b), torch.randn(64, 8))
    for n in (8, 3):
        b = torch.randn(64, n)
        torch.testing.assert_close(traced(b), w @ b, atol=1e-4, rtol=1e-4)


def test_fake_tensors_leave_nothing_behind() -> None:
    """A plan made under a mode is packed from real tensors; before, C++ wrote to address 0."""
    a, w = sparse()
    b = torch.randn(64, 8)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert tamis.spmm(a, mode.from_tensor(b)).shape == (48, 8)
        plan = tamis.plan_spmm(a, 8)
    torch.testing.assert_close(tamis.spmm(a, b, plan=plan), w @ b, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(tamis.spmm(a, b), w @ b, atol=1e-4, rtol=1e-4)


def test_a_plan_made_in_inference_mode_serves_training() -> None:
    a, w = sparse()
    with torch.inference_mode():
        plan = tamis.plan_spmm(a, 8)
    b = torch.randn(64, 8, requires_grad=True)
    values = a.values.clone().requires_grad_()
    tamis.spmm(a.with_values(values), b, plan=plan).sum().backward()
    torch.testing.assert_close(b.grad, w.T @ torch.ones(48, 8), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kernel", ["cpu/spmm_csr", "cpu/spmv_window"])
def test_a_plan_survives_pickle_and_deepcopy(kernel: str) -> None:
    a, w = sparse()
    b, plan = torch.randn(64, 3), tamis.plan_spmm(a, 3, kernel=kernel)
    expected = tamis.spmm(a, b, plan=plan)
    for one, copied in (pickle.loads(pickle.dumps((a, plan))), copy.deepcopy((a, plan))):
        for matrix in (one, a):
            assert torch.equal(tamis.spmm(matrix, b, plan=copied), expected)
        assert copied.explain() == plan.explain()
        with pytest.raises(ValueError, match="another structure"):
            tamis.spmm(tamis.CSR.from_dense(w.flip(0)), b, plan=copied)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype: torch.dtype) -> None:
    """Results have autocast's dtype, whatever the matrix holds; float64 is left alone, and then an error as without autocast."""
    a, w = sparse()
    b = torch.randn(64, 5)
    expected = w @ b
    for matrix in (a, a.to(torch.bfloat16), tamis.formats.quantize_rows(a)):
        with torch.autocast("cpu", dtype=dtype):
            for c in (tamis.spmm(matrix, b), tamis.spmm(matrix, b.to(dtype)), tamis.linear(b.T, matrix).T):
                assert c.dtype == dtype
                torch.testing.assert_close(c.float(), expected, atol=0.2, rtol=0.05)
            assert SparseLinear(matrix)(b.T).dtype == dtype
            with pytest.raises(NotImplementedError, match="float64"):
                tamis.spmm(matrix, b.double())

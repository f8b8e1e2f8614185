"""plan_spmm, spmm, linear: choice, plans and values, gradients, tracing, and what bad input gets."""

import copy
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import tamis
from tamis.ops.spmm import KERNELS


def sparse(m: int = 48, k: int = 40, density: float = 0.3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(m, k, generator=generator) * (torch.rand(m, k, generator=generator) < density)


@pytest.fixture
def w() -> Tensor:
    return sparse()


@pytest.fixture
def a(w: Tensor) -> tamis.CSR:
    return tamis.CSR.from_dense(w)


# --- plans -----------------------------------------------------------------------------------------------------------


def test_a_plan_made_for_one_n_serves_every_n(a: tamis.CSR, w: Tensor) -> None:
    plan = tamis.plan_spmm(a, 1)
    for n in (0, 1, 3, 64, 200):
        b = torch.randn(40, n)
        torch.testing.assert_close(tamis.spmm(a, b, plan=plan), w @ b)


def test_values_changed_in_place_are_packed_again(a: tamis.CSR, w: Tensor) -> None:
    plan, b = tamis.plan_spmm(a, 8), torch.randn(40, 8)
    before = tamis.spmm(a, b, plan=plan)
    a.values.mul_(2)
    assert torch.equal(tamis.spmm(a, b, plan=plan), 2 * before)


def test_replaced_values_are_packed_again_even_at_the_same_address(a: tamis.CSR, w: Tensor) -> None:
    """A freed tensor's memory is soon given to the next, with the same version: only identity tells them apart."""
    plan, b = tamis.plan_spmm(a, 8), torch.randn(40, 8)
    for factor in (1.0, 2.0, 3.0, 4.0):
        scaled = a.with_values(a.values * factor)
        torch.testing.assert_close(tamis.spmm(scaled, b, plan=plan), factor * (w @ b))
        del scaled


def test_threads_that_share_a_plan_get_each_the_product_of_its_own_values(a: tamis.CSR, w: Tensor) -> None:
    plan, b = tamis.plan_spmm(a, 8), torch.randn(40, 8)
    expected = w @ b

    def worst(factor: float) -> float:
        own = a.with_values(a.values * factor)
        return max(float((tamis.spmm(own, b, plan=plan) - factor * expected).abs().max()) for _ in range(200))

    with ThreadPoolExecutor(10) as pool:
        assert max(pool.map(worst, [float(factor) for factor in range(1, 11)])) < 1e-3


def test_values_made_in_inference_mode_have_no_version_and_are_packed_at_each_call() -> None:
    with torch.inference_mode():
        a = tamis.CSR.from_dense(sparse())
        plan, b = tamis.plan_spmm(a, 8), torch.randn(40, 8)
        before = tamis.spmm(a, b, plan=plan)
        a.values.mul_(2)
        assert torch.equal(tamis.spmm(a, b, plan=plan), 2 * before)


def test_training_ten_steps_with_one_plan_follows_dense_training(w: Tensor) -> None:
    a, x, target = tamis.CSR.from_dense(w), torch.randn(16, 40), torch.randn(16, 48)
    mask = w != 0
    values, dense = a.values.clone().requires_grad_(), w.clone().requires_grad_()
    plan = tamis.plan_spmm(a.with_values(values), 16)
    ours, theirs = torch.optim.SGD([values], 0.05), torch.optim.SGD([dense], 0.05)
    for _ in range(10):
        functional.mse_loss(tamis.linear(x, a.with_values(values), plan=plan), target).backward()
        functional.mse_loss(functional.linear(x, dense * mask), target).backward()
        for optimiser in (ours, theirs):
            optimiser.step()
            optimiser.zero_grad()
    torch.testing.assert_close(values.detach(), dense.detach()[mask])


def test_a_plan_of_an_equal_structure_fits_and_one_of_another_is_an_error(a: tamis.CSR, w: Tensor) -> None:
    plan, b = tamis.plan_spmm(a, 8), torch.randn(40, 8)
    twin = tamis.CSR.from_dense(w * 3)
    torch.testing.assert_close(tamis.spmm(twin, b, plan=plan), 3 * (w @ b))
    with pytest.raises(ValueError, match="the plan was made for another structure"):
        tamis.spmm(tamis.CSR.from_dense(sparse(seed=1)), b, plan=plan)
    with pytest.raises(ValueError, match="the plan was made for another structure"):
        tamis.spmm(tamis.Bitmap.from_dense(w), b, plan=plan)
    with pytest.raises(TypeError, match=r"plan is str, expected what tamis.plan_spmm\(a, n\) returns"):
        tamis.spmm(a, b, plan="fast")  # type: ignore[arg-type]


def test_without_a_plan_one_is_kept_on_the_matrix_and_dies_with_it(a: tamis.CSR) -> None:
    b = torch.randn(40, 8)
    tamis.spmm(a, b)
    kept = weakref.ref(a._memo["spmm_plan"])
    tamis.linear(b.T, a)
    assert a._memo["spmm_plan"] is kept()
    a._memo.clear()
    gc.collect()
    assert kept() is None


def test_plans_are_told_apart_from_their_values(a: tamis.CSR) -> None:
    plan = tamis.plan_spmm(a, 8)
    empty = plan.nbytes
    tamis.spmm(a, torch.randn(40, 8), plan=plan)
    assert plan.nbytes == empty + 4 * plan.positions.numel()
    assert copy.deepcopy(plan).nbytes == empty  # the copy of a plan packs anew
    assert repr(plan).startswith(f"SpmmPlan({plan.kernel}, n=8, ")


# --- choice ----------------------------------------------------------------------------------------------------------


def test_the_caller_may_choose_and_the_plan_says_so(a: tamis.CSR) -> None:
    plan = tamis.plan_spmm(a, 8, kernel="cpu/spmm_csr")
    assert (plan.kernel, plan.reason) == ("cpu/spmm_csr", "chosen by the caller")


def test_vectors_run_on_the_kernel_for_vectors() -> None:
    a = tamis.BSR.from_dense(sparse(64, 256).repeat_interleave(4, 0), blocksize=(4, 1))
    assert tamis.plan_spmm(a, 128).kernel == "cpu/spmm_bsr"


def test_explain_lists_every_candidate_dense_and_the_verdict(a: tamis.CSR) -> None:
    text = tamis.plan_spmm(a, 128).explain()
    for kernel in KERNELS:
        assert kernel.name in text
    assert "cannot serve: a is CSR, not BSR" in text
    assert "dense " in text
    assert "wins" in text


def test_explain_says_so_when_dense_wins() -> None:
    plan = tamis.plan_spmm(tamis.CSR.from_dense(torch.randn(512, 512)), 1)
    assert plan.pays == (plan.time_us < plan.dense_time_us)
    assert ("dense wins" in plan.explain()) == (not plan.pays)


def test_no_kernel_is_an_error_that_lists_each_and_why() -> None:
    a = tamis.CSR.from_dense(sparse().double())
    with pytest.raises(NotImplementedError, match=r"(?s)cpu/spmm_csr.*float64.*cpu/spmm_bsr.*float64"):
        tamis.plan_spmm(a, 8)
    with pytest.raises(NotImplementedError, match=r"cpu/spmm_bsr cannot serve .* not BSR"):
        tamis.plan_spmm(tamis.CSR.from_dense(sparse()), 8, kernel="cpu/spmm_bsr")


# --- gradients, tracing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["spmm", "linear"])
@pytest.mark.parametrize("activation", [None, "relu", "gelu", "silu"])
@pytest.mark.parametrize("make", [tamis.CSR.from_dense, tamis.Bitmap.from_dense, "BSR", "NM"])
def test_gradients_are_those_of_dense(layout: str, activation: str | None, make: object) -> None:
    w = sparse(48, 300, 0.4)
    if make == "BSR":
        a = tamis.BSR.from_dense(w, blocksize=(4, 2))
    elif make == "NM":
        w = w.view(48, 75, 4) * torch.tensor([1.0, 0, 0, 1]).view(1, 1, 4)
        a = tamis.NM.from_dense(w.reshape(48, 300), n=2, m=4)
    else:
        a = make(w)  # type: ignore[operator]
    values = a.values.clone().requires_grad_()
    x, bias = torch.randn(300, 30, requires_grad=True), torch.randn(48, requires_grad=True)
    twin = [t.detach().clone().requires_grad_() for t in (a.values, x, bias)]
    sparse_a, dense = a.with_values(values), a.with_values(twin[0]).to_dense()
    if layout == "spmm":
        ours = tamis.spmm(sparse_a, x, bias=bias, activation=activation)
    else:
        ours = tamis.linear(x.T, sparse_a, bias, activation=activation).T
    theirs = dense @ twin[1] + twin[2][:, None]
    theirs = getattr(functional, activation)(theirs) if activation else theirs
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    weight = torch.randn_like(theirs)
    (ours * weight).sum().backward()
    (theirs * weight).sum().backward()
    for mine, other in zip((values, x, bias), twin, strict=True):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kernel", [k.name for k in KERNELS if torch.float32 in k.dtypes])
def test_gradients_do_not_depend_on_the_kernel(kernel: str) -> None:
    w = sparse(12, 150).repeat_interleave(4, 0)  # several windows and several blocks of columns
    a = tamis.BSR.from_dense(w, blocksize=(4, 1))
    values = a.values.clone().requires_grad_()
    x = torch.randn(3, 150, requires_grad=True)
    upstream = torch.randn(3, 48)
    y = tamis.linear(x, a.with_values(values), plan=tamis.plan_spmm(a, 3, kernel=kernel))
    grads = torch.autograd.grad(y, (values, x), upstream)
    expected = torch.autograd.grad(x @ a.with_values(values).to_dense().T, (values, x), upstream)
    for mine, other in zip(grads, expected, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-4, rtol=1e-4)


def test_the_gradient_of_an_8_bit_product_is_that_of_the_exact_one() -> None:
    a = tamis.formats.quantize_rows(tamis.BSR.from_dense(sparse(48, 150 // 4 * 4), blocksize=(1, 4)))
    x, bias = torch.randn(5, a.shape[1], requires_grad=True), torch.randn(48, requires_grad=True)
    upstream = torch.randn(5, 48)
    y = tamis.linear(x, a, bias, plan=tamis.plan_spmm(a, 5, compute="int8"))
    grads = torch.autograd.grad(y, (x, bias), upstream)
    for mine, other in zip(grads, (upstream @ a.to_dense(), upstream.sum(0)), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-4, rtol=1e-4)


def test_an_8_bit_product_is_one_operator_for_compilers() -> None:
    a = tamis.formats.quantize_rows(tamis.BSR.from_dense(sparse(32, 64), blocksize=(1, 4)))
    plan, x = tamis.plan_spmm(a, 8, compute="int8"), torch.randn(8, 64)
    layer = tamis.nn.SparseLinear(a, torch.randn(32), compute="int8")
    compiled = torch.compile(lambda x: tamis.linear(x, a, plan=plan), fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x), tamis.linear(x, a, plan=plan))
    assert torch.equal(torch.export.export(layer, (x,)).module()(x), layer(x))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: tamis.CSR.from_dense(a.to_dense()), "values are float32; it takes int8"),
        (lambda a: tamis.formats.quantize_rows(tamis.CSR.from_dense(a.to_dense())), "a is CSR, not BSR"),
        (
            lambda a: tamis.formats.quantize_rows(tamis.BSR.from_dense(a.to_dense(), blocksize=(2, 4))),
            "a is BSR in 2x4 blocks",
        ),
        (
            lambda a: tamis.formats.quantize_rows(tamis.BSR.from_dense(a.to_dense(), blocksize=(4, 1))),
            "a is BSR in 4x1 blocks",
        ),
    ],
)
def test_what_an_8_bit_product_cannot_take_is_refused_by_name(change, words: str) -> None:
    with pytest.raises(NotImplementedError, match=words):
        tamis.plan_spmm(change(tamis.BSR.from_dense(sparse(32, 64), blocksize=(1, 4))), 8, compute="int8")


def test_rounding_is_never_chosen_unasked() -> None:
    a = tamis.formats.quantize_rows(tamis.BSR.from_dense(sparse(32, 64), blocksize=(1, 4)))
    assert tamis.plan_spmm(a, 64).kernel != "cpu/spmm_int8"
    with pytest.raises(ValueError, match="compute is 'int4', expected 'float32' or 'int8'"):
        tamis.plan_spmm(a, 64, compute="int4")


@pytest.mark.parametrize("kernel", ["cpu/spmm_csr", "cpu/spmv_window"])
def test_a_plan_is_structure_alone_and_serves_values_of_every_dtype(
    a: tamis.CSR, w: Tensor, kernel: str
) -> None:
    half = a.to(torch.bfloat16)
    plan = tamis.plan_spmm(half, 1, kernel=kernel)
    b = torch.randn(40, 1)
    exact = half.to_dense().float() @ b.bfloat16().float()
    torch.testing.assert_close(tamis.spmm(half, b.bfloat16(), plan=plan), exact.bfloat16())
    torch.testing.assert_close(tamis.spmm(a, b, plan=plan), w @ b)


def test_operator_passes_the_checks_of_torch_library(a: tamis.CSR) -> None:
    plan = tamis.plan_spmm(a, 8)
    values = a.values.clone().requires_grad_()
    operands = (
        plan.packed_values(values).detach().requires_grad_(),
        None,
        torch.randn(40, 8, requires_grad=True),
        None,
        plan.packed.tensors,
        plan.packed.sizes,
        plan.kernel,
        None,
        False,
    )
    torch.library.opcheck(torch.ops.tamis.spmm.default, operands)
    torch.library.opcheck(torch.ops.tamis.spmm_pack.default, (values, plan.positions))


def test_compiles_as_one_graph_and_follows_values(a: tamis.CSR, w: Tensor) -> None:
    plan = tamis.plan_spmm(a, 8)
    compiled = torch.compile(lambda x: tamis.linear(x, a, plan=plan, activation="relu") + 1, fullgraph=True)
    x = torch.randn(8, 40)
    torch.testing.assert_close(compiled(x), functional.relu(x @ w.T) + 1)
    a.values.mul_(2)
    torch.testing.assert_close(compiled(x), functional.relu(2 * x @ w.T) + 1)


def test_exports(a: tamis.CSR, w: Tensor) -> None:
    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.plan = tamis.plan_spmm(a, 8)

        def forward(self, x: Tensor) -> Tensor:
            return tamis.linear(x, a, plan=self.plan)

    x = torch.randn(8, 40)
    exported = torch.export.export(Layer(), (x,))
    assert any("tamis.spmm" in str(node.target) for node in exported.graph.nodes)
    torch.testing.assert_close(exported.module()(x), x @ w.T)


# --- operands --------------------------------------------------------------------------------------------------------


def test_int8_values_are_scaled_by_row(w: Tensor) -> None:
    from tamis.formats import quantize_rows

    a, b = quantize_rows(tamis.CSR.from_dense(w)), torch.randn(40, 9)
    torch.testing.assert_close(tamis.spmm(a, b), a.to_dense() @ b)
    plan = tamis.plan_spmm(a, 9)
    tamis.spmm(a, b, plan=plan)
    a.values.neg_()
    torch.testing.assert_close(tamis.spmm(a, b, plan=plan), a.to_dense() @ b)


def test_operands_that_are_not_contiguous(a: tamis.CSR, w: Tensor) -> None:
    b = torch.randn(40, 60)[:, ::3]
    torch.testing.assert_close(tamis.spmm(a, b), w @ b)
    x = torch.randn(40, 7, 5).permute(2, 1, 0)
    torch.testing.assert_close(tamis.linear(x, a), x @ w.T)
    wide = torch.randn(40, 50)[:, 10:30]
    torch.testing.assert_close(tamis.spmm(a, wide), w @ wide)


def test_linear_takes_any_leading_sizes(a: tamis.CSR, w: Tensor) -> None:
    for shape in ((40,), (3, 40), (2, 3, 40), (0, 40), (2, 0, 40)):
        x = torch.randn(shape)
        torch.testing.assert_close(tamis.linear(x, a), x @ w.T)


BAD = {
    "inner sizes": (lambda a: tamis.spmm(a, torch.randn(48, 8)), ValueError, r"inner sizes differ: a is CSR of shape \(48, 40\), so b needs 40 rows"),
    "transposed": (lambda a: tamis.spmm(a, torch.randn(8, 40)), ValueError, r"did you mean spmm\(a, b.T\)\?"),
    "vector": (lambda a: tamis.spmm(a, torch.randn(40)), ValueError, r"expected two sizes, \(k, n\)"),
    "float64": (lambda a: tamis.spmm(a, torch.randn(40, 8).double()), NotImplementedError, "For float64 use"),
    "integers": (lambda a: tamis.spmm(a, torch.ones(40, 8, dtype=torch.int32)), NotImplementedError, "kernels take float32"),
    "mixed dtypes": (lambda a: tamis.spmm(a, torch.randn(40, 8).half()), ValueError, "dtypes differ: a holds torch.float32, b is torch.float16"),
    "device": (lambda a: tamis.spmm(a, torch.randn(40, 8, device="meta")), ValueError, "a is on cpu, but b is on meta"),
    "dense a": (lambda a: tamis.spmm(a.to_dense(), torch.randn(40, 8)), TypeError, "CSR.from_dense"),
    "sparse b": (lambda a: tamis.spmm(a, torch.eye(40).to_sparse_csr()), TypeError, "expected a dense tensor"),
    "list b": (lambda a: tamis.spmm(a, [1, 2]), TypeError, "b is list, expected a dense tensor"),
    "bias": (lambda a: tamis.spmm(a, torch.randn(40, 8), bias=torch.randn(40)), ValueError, r"bias needs shape \(48,\), but got \(40,\)"),
    "bias dtype": (lambda a: tamis.spmm(a, torch.randn(40, 8), bias=torch.ones(48).long()), ValueError, "bias is torch.int64"),
    "activation": (lambda a: tamis.spmm(a, torch.randn(40, 8), activation="tanh"), ValueError, "expected one of 'relu', 'gelu', 'silu'"),
    "linear inner": (lambda a: tamis.linear(torch.randn(8, 48), a), ValueError, "x needs a last size of 40"),
    "scalar": (lambda a: tamis.linear(torch.tensor(1.0), a), ValueError, "x is a scalar"),
    "kernel": (lambda a: tamis.plan_spmm(a, 8, kernel="cpu/magic"), ValueError, "there is no kernel 'cpu/magic'; there are cpu/spmm_csr"),
    "n": (lambda a: tamis.plan_spmm(a, -1), ValueError, "n is -1, expected a whole number"),
    "n text": (lambda a: tamis.plan_spmm(a, "8"), ValueError, "n is '8', expected a whole number"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_a_clear_error(a: tamis.CSR, name: str) -> None:
    call, kind, message = BAD[name]
    with pytest.raises(kind, match=message):
        call(a)

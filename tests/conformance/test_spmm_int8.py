"""The 8-bit product × ISA × blocks × shape × dtype, within what rounding the activations can cost, and exact where it costs nothing."""

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import tamis
from tamis.kernels.cpu import force_isa, int8_levels, native
from tests.conformance import matrices

WITHOUT_VNNI = "avx512 without VNNI"
BLOCKS = {"1x4": (1, 4), "1x8": (1, 8), "4x4": (4, 4), "8x4": (8, 4), "16x8": (16, 8)}
ROUNDING = {torch.float32: 1e-6, torch.bfloat16: 2**-8, torch.float16: 2**-11}


@pytest.fixture(params=[*native().isas_compiled(), WITHOUT_VNNI])
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    name = request.param.split()[0]
    if name not in native().isas_supported():
        pytest.skip(f"this CPU has no {name}")
    force_isa(name)
    native().use_vnni(request.param != WITHOUT_VNNI)
    yield request.param
    native().use_vnni(True)
    force_isa("auto")


def quantized(w: Tensor, blocksize: tuple[int, int] = (1, 4)) -> tamis.BSR:
    return tamis.formats.quantize_rows(tamis.BSR.from_dense(w, blocksize=blocksize))


def step_of(x: Tensor) -> Tensor:
    """Distance of two levels, per token."""
    return (x.amax(1) - x.amin(1)) / (int8_levels() - 1) if x.shape[1] else torch.zeros(x.shape[0])


def check(a: tamis.BSR, n: int, dtype: torch.dtype = torch.float32) -> None:
    generator = torch.Generator().manual_seed(n)
    x = torch.randn(n, a.shape[1], generator=generator).to(dtype)
    bias = torch.randn(a.shape[0], generator=generator)
    plan = tamis.plan_spmm(a, n, compute="int8")
    assert plan.kernel == "cpu/spmm_int8"
    w = a.to_dense().double()
    exact = x.double() @ w.T + bias.double()
    # Each activation is off by at most half a level, each sum and the result by the rounding of float32 and dtype.
    allowed = 0.5001 * step_of(x.double())[:, None] * w.abs().sum(1)
    allowed += ROUNDING[dtype] * (x.double().abs() @ w.abs().T + exact.abs() + bias.double().abs()) + 1e-30
    for y in (
        tamis.linear(x, a, bias, plan=plan),
        tamis.spmm(a, x.T, bias=bias, plan=plan).T,
    ):
        assert y.dtype == dtype
        assert y.shape == exact.shape
        assert bool(((y.double() - exact).abs() <= allowed).all())


@pytest.mark.parametrize("name", matrices.SHAPED)
def test_shapes_and_blocks(isa: str, name: str) -> None:
    w = matrices.SHAPED[name]().float()
    for n in matrices.COLUMNS:
        check(quantized(w), n)
    for blocksize, n in itertools.product(list(BLOCKS.values())[1:], (1, 40, 100)):
        check(quantized(w, blocksize), n)


@pytest.mark.parametrize("shape", [(1, 4), (1, 776), (37, 52), (0, 16), (16, 0), (130, 1100), (5, 3000)])
def test_odd_shapes(isa: str, shape: tuple[int, int]) -> None:
    a = quantized(matrices.random(*shape, 0.4).float())
    for n in (0, 1, 5, 33):
        check(a, n)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_half_precision(isa: str, dtype: torch.dtype) -> None:
    for n in (1, 20, 70):
        check(quantized(matrices.SHAPED["several blocks of K"]().float()), n, dtype)


def test_more_tokens_than_are_taken_at_a_time(isa: str) -> None:
    check(quantized(matrices.random(40, 24, 0.5).float()), 2500)


def test_whole_numbers_within_the_levels_are_exact(isa: str) -> None:
    """The sums are of whole numbers, so nothing else is rounded."""
    top, k = int8_levels() - 1, 512
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, top + 1, (50, k), generator=generator).float()
    x[:, 0], x[:, 1] = 0, top  # the step is 1 then
    x -= 37
    w = torch.randint(-127, 128, (60, k), generator=generator).float() * (
        torch.rand(60, k, generator=generator) < 0.4
    )
    w[:, 2] = 127  # the scale is 1 then
    a = quantized(w)
    y = tamis.linear(x, a, plan=tamis.plan_spmm(a, 50, compute="int8"))
    assert torch.equal(y.double(), x.double() @ w.double().T)


def test_the_largest_products_do_not_saturate(isa: str) -> None:
    top = float(int8_levels() - 1)
    a = quantized(torch.tensor([127.0, -127.0])[:, None].repeat(1, 4096))
    x = torch.full((3, 4096), top)
    x[:, 0] = 0
    y = tamis.linear(x, a, plan=tamis.plan_spmm(a, 3, compute="int8"))
    assert torch.equal(y[0], torch.tensor([127.0, -127.0]) * top * 4095)


def test_a_token_without_range_is_exact(isa: str) -> None:
    a = quantized(matrices.random(16, 32, 0.5).float())
    x = torch.tensor([0.0, -3.5, 1e-30])[:, None].repeat(1, 32)
    y = tamis.linear(x, a, plan=tamis.plan_spmm(a, 3, compute="int8"))
    torch.testing.assert_close(y.double(), x.double() @ a.to_dense().double().T, rtol=1e-5, atol=0)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_nan_and_inf_make_their_token_nan_and_no_other(isa: str, value: float) -> None:
    a = quantized(matrices.random(24, 100, 0.3).float())
    x = torch.randn(20, 100)
    for token, column in ((3, 0), (7, 99), (19, 50)):
        x[token, column] = value
    y = tamis.linear(x, a, plan=tamis.plan_spmm(a, 20, compute="int8"))
    bad = torch.zeros(20, dtype=torch.bool)
    bad[[3, 7, 19]] = True
    assert torch.equal(y.isnan().all(1), bad)
    assert torch.equal(y.isfinite().all(1), ~bad)


def test_a_range_beyond_float32_is_nan_and_huge_numbers_are_not(isa: str) -> None:
    a = quantized(torch.eye(8))
    x = torch.tensor([[3e38, -3e38, 0, 0, 0, 0, 0, 0], [1e36, -1e36, 0, 0, 0, 0, 0, 0]])
    y = tamis.linear(x, a, plan=tamis.plan_spmm(a, 2, compute="int8"))
    assert y[0].isnan().all()
    torch.testing.assert_close(y[1, :2], x[1, :2], rtol=1e-4, atol=0)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_activations(isa: str, activation: str) -> None:
    a, x, bias = quantized(matrices.random(33, 16, 0.6).float() * 3), torch.randn(45, 16) * 4, torch.randn(33)
    plan = tamis.plan_spmm(a, 45, compute="int8")
    y = tamis.linear(x, a, bias, plan=plan)
    expected = getattr(functional, activation)(y.double())
    torch.testing.assert_close(
        tamis.linear(x, a, bias, plan=plan, activation=activation).double(), expected, atol=2e-5, rtol=2e-6
    )


def test_same_bits_for_any_number_of_threads_and_any_plan(isa: str) -> None:
    a, x = quantized(matrices.random(256, 700, 0.3).float()), torch.randn(90, 700)
    before, results = torch.get_num_threads(), []
    try:
        for threads, n in itertools.product((1, 2, 3, 8), (1, 90, 5000)):
            torch.set_num_threads(threads)
            results.append(tamis.linear(x, a, plan=tamis.plan_spmm(a, n, compute="int8")))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(results[0], y) for y in results)


def test_a_token_has_the_same_bits_alone_and_among_others(isa: str) -> None:
    a, x = quantized(matrices.random(64, 200, 0.3).float()), torch.randn(70, 200)
    plan = tamis.plan_spmm(a, 70, compute="int8")
    together = tamis.linear(x, a, plan=plan)
    assert all(torch.equal(together[i], tamis.linear(x[i], a, plan=plan)) for i in (0, 17, 69))


def test_rows_of_x_that_are_not_side_by_side(isa: str) -> None:
    a, wide = quantized(matrices.random(24, 40, 0.5).float()), torch.randn(30, 100)
    plan = tamis.plan_spmm(a, 30, compute="int8")
    for x in (wide[:, 20:60], wide[::2, 20:60], wide.T[20:60].T):
        assert torch.equal(tamis.linear(x, a, plan=plan), tamis.linear(x.contiguous(), a, plan=plan))

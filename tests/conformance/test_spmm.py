"""Every SpMM kernel × ISA × dtype × format × shape × layout against the reference in float64."""

import itertools

import pytest
import torch
from torch import Tensor

import tamis
from tamis.formats import SparseMatrix
from tamis.kernels.reference.spmm import spmm as reference
from tamis.ops.spmm import KERNELS
from tests.conformance import matrices

# Per unit of sum(|a| |b|): float32 sums err by at most k roundings; half types round B before and C after.
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 1e-2, torch.float16: 1.5e-3}

# test_spmm_int8.py has the one that rounds activations.
EXACT = [kernel.name for kernel in KERNELS if kernel.name != "cpu/spmm_int8"]

FORMATS = {
    "CSR": tamis.CSR.from_dense,
    "Bitmap": tamis.Bitmap.from_dense,
    "BSR 4x1": lambda w: tamis.BSR.from_dense(w, blocksize=(4, 1)),
    "BSR 8x1": lambda w: tamis.BSR.from_dense(w, blocksize=(8, 1)),
    "BSR 16x8": lambda w: tamis.BSR.from_dense(w, blocksize=(16, 8)),
    "BSR 1x4": lambda w: tamis.BSR.from_dense(w, blocksize=(1, 4)),
    "BSR 2x2": lambda w: tamis.BSR.from_dense(w, blocksize=(2, 2)),
}


def two_of_four(w: Tensor) -> SparseMatrix:
    groups = w.view(w.shape[0], -1, 4)
    kept = torch.zeros_like(groups).scatter(-1, groups.abs().topk(2).indices, 1)
    return tamis.NM.from_dense((groups * kept).view_as(w), n=2, m=4)


def able(kernel: str, a: SparseMatrix) -> bool:
    candidates = tamis.plan_spmm(a, 1).candidates
    return next(c for c in candidates if c.kernel == kernel).refusal is None


def check(a: SparseMatrix, n: int, kernel: str, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(n)
    a = a.to(dtype)
    b = torch.randn(a.shape[1], n, generator=generator).to(dtype)
    bias = torch.randn(a.shape[0], generator=generator)
    csr = a.to_csr()
    indices = (csr.crow_indices, csr.col_indices)
    expected = reference(*indices, csr.values, a.shape, b, bias)
    scale = reference(*indices, csr.values.abs(), a.shape, b.abs(), bias.abs())
    plan = tamis.plan_spmm(a, n, kernel=kernel)
    for name, c in (
        ("spmm", tamis.spmm(a, b, plan=plan, bias=bias)),
        ("linear", tamis.linear(b.T.contiguous(), a, bias, plan=plan).T),
    ):
        assert c.dtype == dtype
        assert c.shape == expected.shape
        error = ((c.double() - expected).abs() / scale.clamp(min=1e-30)).max().item() if c.numel() else 0.0
        assert error <= TOLERANCE[dtype], f"{name} errs by {error:.2e}"


@pytest.mark.parametrize("kernel", EXACT)
@pytest.mark.parametrize("name", matrices.SHAPED)
def test_shapes_and_formats(isa: str, kernel: str, name: str) -> None:
    w = matrices.SHAPED[name]().float()
    formats = [make(w) for make in FORMATS.values()] + [two_of_four(w)]
    first, *others = [a for a in formats if able(kernel, a)]
    for n in matrices.COLUMNS:
        check(first, n, kernel, torch.float32)
    for a, n in itertools.product(others, (1, 40, 100)):
        check(a, n, kernel, torch.float32)


@pytest.mark.parametrize("name", matrices.ODD)
def test_odd_shapes(isa: str, name: str) -> None:
    a = tamis.CSR.from_dense(matrices.ODD[name]().float())
    for n in (0, 1, 5, 33):
        check(a, n, "cpu/spmm_csr", torch.float32)


@pytest.mark.parametrize("kernel", EXACT)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_half_precision(isa: str, kernel: str, dtype: torch.dtype) -> None:
    for name, n in itertools.product(("vectors", "several blocks of K", "empty rows"), (1, 20, 70)):
        w = matrices.SHAPED[name]().float()
        check(tamis.BSR.from_dense(w, blocksize=(8, 1)), n, kernel, dtype)


@pytest.mark.parametrize("kernel", EXACT)
def test_int8_values_with_a_scale_per_row(isa: str, kernel: str) -> None:
    w = matrices.SHAPED["several blocks of K"]().float()
    a = tamis.formats.quantize_rows(tamis.BSR.from_dense(w, blocksize=(4, 1)))
    dense, bias = a.to_dense().double(), torch.randn(a.shape[0])
    for n, dtype in itertools.product((1, 2, 20, 70), TOLERANCE):
        b = torch.randn(a.shape[1], n).to(dtype)
        plan = tamis.plan_spmm(a, n, kernel=kernel)
        expected = dense @ b.double() + bias[:, None]
        scale = dense.abs() @ b.double().abs() + bias.abs()[:, None]
        for c in (
            tamis.spmm(a, b, plan=plan, bias=bias),
            tamis.linear(b.T.contiguous(), a, bias, plan=plan).T,
        ):
            assert c.dtype == dtype
            assert ((c.double() - expected).abs() / scale.clamp(min=1e-30)).max() <= TOLERANCE[dtype]


def test_windows_reach_the_last_of_very_many_columns(isa: str) -> None:
    w = torch.zeros(5, 70_001)
    w[0, 69_990:], w[1, ::10_000], w[4, 65_530:65_550] = 1, 2, 3
    a, b = tamis.CSR.from_dense(w), torch.randn(70_001, 3)
    plan = tamis.plan_spmm(a, 1, kernel="cpu/spmv_window")
    for columns in (b[:, :1], b):
        torch.testing.assert_close(
            tamis.spmm(a, columns, plan=plan).double(), w.double() @ columns.double(), atol=1e-4, rtol=1e-5
        )


@pytest.mark.parametrize("kernel", EXACT)
@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_activations(isa: str, kernel: str, activation: str) -> None:
    w = matrices.random(32, 16, 0.6).float() * 3
    a, b = tamis.BSR.from_dense(w, blocksize=(4, 1)), torch.randn(16, 45) * 4
    csr = a.to_csr()
    expected = reference(csr.crow_indices, csr.col_indices, csr.values, a.shape, b, None, activation)
    plan = tamis.plan_spmm(a, 45, kernel=kernel)
    for c in (
        tamis.spmm(a, b, plan=plan, activation=activation),
        tamis.linear(b.T, a, plan=plan, activation=activation).T,
    ):
        assert torch.allclose(c.double(), expected, atol=2e-5, rtol=2e-6)


@pytest.mark.parametrize("kernel", EXACT)
@pytest.mark.parametrize("activation", [None, "relu", "gelu", "silu"])
def test_extreme_numbers_flow_through_as_in_dense_arithmetic(
    isa: str, kernel: str, activation: str | None
) -> None:
    a = tamis.BSR.from_dense(torch.eye(8).repeat_interleave(4, 0), blocksize=(4, 1))
    b = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0, 3e38, -3e38, 1e-40, -1.0])[:, None].repeat(1, 20)
    plan = tamis.plan_spmm(a, 20, kernel=kernel)
    expected = b.double().repeat_interleave(4, 0)
    if activation:
        expected = getattr(torch.nn.functional, activation)(expected)
    for c in (
        tamis.spmm(a, b, plan=plan, activation=activation),
        tamis.linear(b.T, a, plan=plan, activation=activation).T,
    ):
        assert torch.allclose(c.double(), expected, equal_nan=True, atol=1e-30, rtol=1e-6)


@pytest.mark.parametrize("kernel", EXACT)
def test_nan_and_inf_reach_only_rows_that_store_their_column(isa: str, kernel: str) -> None:
    """0 * Inf is NaN: padding must not point at any row of B."""
    w = matrices.random(64, 300, 0.1, rows_alike=4).float()
    a = tamis.BSR.from_dense(w, blocksize=(4, 1))
    b = torch.randn(300, 40)
    b[17], b[280] = torch.inf, torch.nan
    plan = tamis.plan_spmm(a, 40, kernel=kernel)
    touched = (w[:, 17] != 0) | (w[:, 280] != 0)
    assert touched.any()
    assert not touched.all()
    for c in (tamis.spmm(a, b, plan=plan), tamis.linear(b.T, a, plan=plan).T):
        assert torch.equal(~c.isfinite().all(1), touched)


@pytest.mark.parametrize("kernel", EXACT)
def test_same_bits_for_any_number_of_threads_and_any_plan(isa: str, kernel: str) -> None:
    a = tamis.BSR.from_dense(matrices.random(256, 700, 0.3, rows_alike=4).float(), blocksize=(4, 1))
    b = torch.randn(700, 90)
    before = torch.get_num_threads()
    results = []
    try:
        for threads, n in itertools.product((1, 2, 3, 8), (1, 90, 5000)):
            torch.set_num_threads(threads)
            plan = tamis.plan_spmm(a, n, kernel=kernel)
            results += [tamis.spmm(a, b, plan=plan), tamis.linear(b.T, a, plan=plan).T]
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(results[0], c) for c in results)

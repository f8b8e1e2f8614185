"""Every packed structure × ISA × dtype × format × shape × layout: the entries of C @ B.T that it stores, against float64."""

import itertools

import pytest
import torch
from torch import Tensor

import tamis
from tamis.formats import SparseMatrix
from tamis.kernels.cpu import PackedMatrix, sddmm, unpack_values
from tamis.kernels.reference.spmm import sddmm as reference
from tests.conformance import matrices
from tests.conformance.test_spmm import (
    EXACT,
    FORMATS,
    able,
    two_of_four,
)  # SDDMM reads what each of EXACT reads

COLUMNS = (1, 7, 16, 33, 64, 130, 513)


def sampled(packed: PackedMatrix, c: Tensor, b: Tensor) -> list[Tensor]:
    """In both layouts."""
    return [sddmm(packed, c, b, False), sddmm(packed, c.T.contiguous(), b.T.contiguous(), True)]


def check(a: SparseMatrix, n: int, kernel: str, dtype: torch.dtype = torch.float32) -> None:
    generator = torch.Generator().manual_seed(n)
    c, b = (torch.randn(size, n, generator=generator).to(dtype) for size in a.shape)
    packed = tamis.plan_spmm(a, n, kernel=kernel).packed
    rows, columns = (at.clamp(min=0) for at in packed.entries())
    real = packed.entries()[0] >= 0
    expected = (c.double() @ b.double().T)[rows, columns].where(real, 0)
    scale = (c.double().abs() @ b.double().abs().T)[rows, columns].clamp(min=1e-30)
    for values in sampled(packed, c, b):
        assert values.dtype == torch.float32
        assert values.shape == (packed.slots,)
        assert not values[~real].any()
        error = ((values.double() - expected).abs() / scale).max().item() if values.numel() else 0.0
        assert error <= 2e-6, f"errs by {error:.2e}"


@pytest.mark.parametrize("kernel", EXACT)
@pytest.mark.parametrize("name", matrices.SHAPED)
def test_shapes_and_formats(isa: str, kernel: str, name: str) -> None:
    w = matrices.SHAPED[name]().float()
    formats = [make(w) for make in FORMATS.values()] + [two_of_four(w)]
    first, *others = [a for a in formats if able(kernel, a)]
    for n in COLUMNS:
        check(first, n, kernel)
    for a, n in itertools.product(others, (1, 40, 100)):
        check(a, n, kernel)


@pytest.mark.parametrize("kernel", ["cpu/spmm_csr", "cpu/spmv_window"])
@pytest.mark.parametrize("name", matrices.ODD)
def test_odd_shapes(isa: str, kernel: str, name: str) -> None:
    a = tamis.CSR.from_dense(matrices.ODD[name]().float())
    for n in (0, 1, 5, 33):
        check(a, n, kernel)


@pytest.mark.parametrize("kernel", EXACT)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_half_precision_is_summed_in_float32(isa: str, kernel: str, dtype: torch.dtype) -> None:
    for name, n in itertools.product(("vectors", "several blocks of K", "empty rows"), (1, 20, 70)):
        check(tamis.BSR.from_dense(matrices.SHAPED[name]().float(), blocksize=(8, 1)), n, kernel, dtype)


def test_values_come_in_the_order_of_the_format(isa: str) -> None:
    a = tamis.CSR.from_dense(matrices.random(37, 300, 0.2).float())
    c, b = torch.randn(37, 20), torch.randn(300, 20)
    expected = reference(a.crow_indices, a.col_indices, c, b)
    for kernel in ("cpu/spmm_csr", "cpu/spmv_window"):
        plan = tamis.plan_spmm(a, 20, kernel=kernel)
        for values in sampled(plan.packed, c, b):
            at = plan.positions.clamp(min=0).long()
            wanted = expected[at].where(plan.positions >= 0, 0).float()
            torch.testing.assert_close(values, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kernel", EXACT)
def test_nan_and_inf_reach_their_row_and_column_alone(isa: str, kernel: str) -> None:
    a = tamis.BSR.from_dense(matrices.random(64, 300, 0.1, rows_alike=4).float(), blocksize=(4, 1))
    c, b = torch.randn(64, 90), torch.randn(300, 90)
    c[5, 3], b[17, 80], b[280, 0] = torch.nan, torch.inf, torch.nan
    packed = tamis.plan_spmm(a, 90, kernel=kernel).packed
    rows, columns = packed.entries()
    touched = (rows == 5) | (columns == 17) | (columns == 280)
    assert touched.any()
    for values in sampled(packed, c, b):
        assert torch.equal(~values.isfinite(), touched)
        assert not values[rows < 0].any()


@pytest.mark.parametrize("kernel", EXACT)
def test_same_bits_for_any_number_of_threads_in_both_layouts(isa: str, kernel: str) -> None:
    a = tamis.BSR.from_dense(matrices.random(256, 700, 0.3, rows_alike=4).float(), blocksize=(4, 1))
    packed = tamis.plan_spmm(a, 300, kernel=kernel).packed
    c, b = torch.randn(256, 300), torch.randn(700, 300)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            results += sampled(packed, c, b)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(results[0], values) for values in results)


def test_operands_that_are_not_contiguous(isa: str) -> None:
    a = tamis.CSR.from_dense(matrices.random(48, 40, 0.3).float())
    packed = tamis.plan_spmm(a, 6).packed
    c, b = torch.randn(48, 24)[:, ::4], torch.randn(40, 50)[:, 20:26]
    expected = sddmm(packed, c.contiguous(), b.contiguous(), False)
    assert torch.equal(sddmm(packed, c, b, False), expected)
    assert torch.equal(sddmm(packed, c.T, b.T, True), expected)
    ones = torch.ones(1, 1).expand(6, 48)  # what y.sum().backward() hands over
    assert torch.equal(sddmm(packed, ones, b.T, True), sddmm(packed, ones.contiguous(), b.T, True))


def test_sizes_that_do_not_fit_are_refused() -> None:
    packed = tamis.plan_spmm(tamis.CSR.from_dense(torch.eye(8)[:, :5]), 3).packed
    c, b = torch.randn(8, 3), torch.randn(5, 3)
    for wrong in ((c[:7], b), (c, b[:4]), (c, b[:, :2]), (c[0], b), (c.T, b.T)):
        with pytest.raises(ValueError, match=r"the structure has shape \(8, 5\)"):
            sddmm(packed, *wrong, False)
    with pytest.raises(ValueError, match=r"but got torch\.float32 and torch\.float64"):
        sddmm(packed, c, b.double(), False)
    quads = tamis.formats.quantize_rows(tamis.BSR.from_dense(torch.eye(8), blocksize=(1, 4)))
    with pytest.raises(TypeError, match="int8 values, which have no gradient"):
        sddmm(tamis.plan_spmm(quads, 3, compute="int8").packed, c, torch.randn(8, 3), False)
    with pytest.raises(ValueError, match="a position lies beyond the 2 values"):
        unpack_values(torch.tensor([0, 2], dtype=torch.int32), torch.ones(2), 2)

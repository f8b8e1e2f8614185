"""Every kernel of sparse convolution × ISA × dtype × map × channels against the sum over all pairs in float64."""

import itertools

import pytest
import torch
from torch import Tensor

from tamis.kernels import Epilogue
from tamis.ops.kernel_map import KernelMap
from tamis.ops.sparse_conv import KERNELS, WEIGHT_GRADIENTS, plan_conv, sparse_conv
from tests.conformance import clouds, instruction_sets

# Per unit of sum(|x| |w|): float32 sums err by at most as many roundings as terms; half types round after the sum.
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 1e-2, torch.float16: 1.5e-3, torch.float64: 1e-14}
CHANNELS = ((1, 1), (3, 5), (16, 16), (37, 53), (64, 40), (130, 96))
CASES = [(isa, k.name, dtype) for k in KERNELS for isa in instruction_sets.of(k.name) for dtype in k.dtypes]


def dataflow(kernel: str) -> str:
    return kernel.partition("sparse_conv_")[2]


def summed(found: KernelMap, feats: Tensor, weight: Tensor, groups: int = 1) -> Tensor:
    """The definition: one pair at a time is one row of an index_add."""
    out = torch.zeros(found.out_rows, weight.shape[2], dtype=torch.float64)
    for offset in range(found.kernel_volume):
        inputs, outputs = found.pairs_of(offset)
        parts = zip(feats.double().chunk(groups, 1), weight[offset].double().chunk(groups, 1), strict=True)
        out.index_add_(0, outputs, torch.cat([x[inputs] @ w for x, w in parts], 1))
    return out


def operands(
    found: KernelMap, c_in: int, c_out: int, groups: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(c_in * 1000 + c_out)
    feats = torch.randn(found.in_rows, c_in, generator=generator).to(dtype)
    weight = torch.randn(found.kernel_volume, c_in // groups, c_out, generator=generator).to(dtype)
    return feats, weight


def check(found: KernelMap, c_in: int, c_out: int, kernel: str, dtype: torch.dtype, groups: int = 1) -> None:
    feats, weight = operands(found, c_in, c_out, groups, dtype)
    y = sparse_conv(feats, weight, found, groups=groups, dataflow=dataflow(kernel))
    plan = plan_conv(found, c_in, c_out, groups=groups, dtype=dtype, dataflow=dataflow(kernel))
    assert plan.kernel == kernel
    assert y.dtype == dtype
    expected = summed(found, feats, weight, groups)
    assert y.shape == expected.shape
    scale = summed(found, feats.abs(), weight.abs(), groups).clamp(min=1e-30)
    error = ((y.double() - expected).abs() / scale).max().item() if y.numel() else 0.0
    assert error <= TOLERANCE[dtype], f"errs by {error:.2e}"


@pytest.mark.parametrize(("isa", "kernel", "dtype"), CASES, indirect=["isa"])
@pytest.mark.parametrize("name", clouds.COORDS)
def test_maps_and_their_transposes(isa: str, kernel: str, dtype: torch.dtype, name: str) -> None:
    for kernel_size, stride in clouds.KERNEL_SHAPES:
        found = clouds.kernel_map(name, kernel_size, stride)
        check(found, 5, 7, kernel, dtype)
        check(found.transposed(), 5, 7, kernel, dtype)


@pytest.mark.parametrize(("isa", "kernel", "dtype"), CASES, indirect=["isa"])
@pytest.mark.parametrize(("c_in", "c_out"), CHANNELS)
def test_channels(isa: str, kernel: str, dtype: torch.dtype, c_in: int, c_out: int) -> None:
    check(clouds.kernel_map("sheet", 3, 1), c_in, c_out, kernel, dtype)


@pytest.mark.parametrize(("isa", "kernel", "dtype"), CASES, indirect=["isa"])
@pytest.mark.parametrize(("groups", "c_in", "c_out"), [(2, 8, 6), (4, 64, 128), (40, 40, 40), (5, 5, 10)])
def test_groups(isa: str, kernel: str, dtype: torch.dtype, groups: int, c_in: int, c_out: int) -> None:
    check(clouds.kernel_map("sheet", 3, 1), c_in, c_out, kernel, dtype, groups)


@pytest.mark.parametrize(("isa", "kernel", "dtype"), CASES, indirect=["isa"])
def test_epilogues(isa: str, kernel: str, dtype: torch.dtype) -> None:
    found = clouds.kernel_map("scattered", 3, 1)
    feats, weight = operands(found, 8, 13, 1, dtype)
    exact, magnitude = summed(found, feats, weight), summed(found, feats.abs(), weight.abs())
    for with_bias, with_scale, with_residual, relu in itertools.product((False, True), repeat=4):
        bias = torch.randn(13) if with_bias else None
        scale = torch.rand(13) + 0.5 if with_scale else None
        residual = torch.randn(found.out_rows, 13).to(dtype) if with_residual else None
        y = sparse_conv(
            feats,
            weight,
            found,
            bias=bias,
            scale=scale,
            residual=residual,
            relu=relu,
            dataflow=dataflow(kernel),
        )
        factor, shift = (1.0 if scale is None else scale.double()), (0.0 if bias is None else bias.double())
        added = 0.0 if residual is None else residual.double()
        expected = exact * factor + shift + added
        bound = magnitude * factor + abs(shift) + abs(added)
        expected = expected.relu() if relu else expected
        # References of half precision round after each step.
        assert ((y.double() - expected).abs() <= 3 * TOLERANCE[dtype] * bound + 1e-30).all()


@pytest.mark.parametrize("backend", WEIGHT_GRADIENTS)
@pytest.mark.parametrize("name", clouds.COORDS)
def test_gradient_of_the_weights(isa: str, backend: str, name: str) -> None:
    kernel = next(k for k in KERNELS if k.backend == backend)
    for (kernel_size, stride), (groups, c_in, c_out) in itertools.product(
        clouds.KERNEL_SHAPES, ((1, 16, 24), (2, 6, 4), (8, 8, 8))
    ):
        found = clouds.kernel_map(name, kernel_size, stride)
        feats, _ = operands(found, c_in, c_out, groups, torch.float32)
        grad = torch.randn(found.out_rows, c_out)
        pairs = plan_conv(found, c_in, c_out, groups=groups, dataflow=dataflow(kernel.name)).pairs
        result = WEIGHT_GRADIENTS[backend](pairs, feats, grad, groups)
        for offset in range(found.kernel_volume):
            inputs, outputs = found.pairs_of(offset)
            x, slope = feats.double()[inputs].chunk(groups, 1), grad.double()[outputs].chunk(groups, 1)
            expected = torch.cat([a.T @ b for a, b in zip(x, slope, strict=True)], 1)
            scale = torch.cat([a.abs().T @ b.abs() for a, b in zip(x, slope, strict=True)], 1)
            assert ((result[offset].double() - expected).abs() <= 4e-6 * scale + 1e-30).all()


def test_an_epilogue_is_optional() -> None:
    assert Epilogue() == (None, None, None, False)

"""Pooling of every backend × ISA × dtype × map against the definition in float64."""

from functools import cache

import pytest
import torch
from torch import Tensor

from tamis.kernels import PairLists
from tamis.ops.kernel_map import KernelMap
from tamis.ops.sparse_pool import POOLS
from tests.conformance import clouds, instruction_sets

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
CASES = [(isa, backend) for backend in POOLS for isa in instruction_sets.of(f"{backend}/")]


@cache
def maps() -> list[KernelMap]:
    shapes: tuple[tuple[int, int], ...] = ((3, 1), (2, 2), (3, 2))
    found = [clouds.kernel_map(name, *shape) for name in clouds.COORDS for shape in shapes]
    return found + [one.transposed() for one in found]


def defined(found: PairLists, feats: Tensor, reduce: str) -> Tensor:
    """All neighbours of an output side by side; what is missing does not count."""
    table = found.table().long()
    there = (table >= 0).sum(1)[:, None]
    fill = -torch.inf if reduce == "max" else 0.0
    rows = torch.cat([feats.double(), torch.full((1, feats.shape[1]), fill, dtype=torch.float64)])[table]
    out = rows.amax(1) if reduce == "max" else rows.sum(1) / (there.clamp(min=1) if reduce == "mean" else 1)
    return torch.where(there > 0, out, 0.0).to(feats.dtype)


@pytest.mark.parametrize(("isa", "backend"), CASES, indirect=["isa"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduce", ["max", "sum", "mean"])
def test_maps_and_their_transposes(isa: str, backend: str, dtype: torch.dtype, reduce: str) -> None:
    for found in maps():
        check(found, 5, backend, dtype, reduce)


@pytest.mark.parametrize(("isa", "backend"), CASES, indirect=["isa"])
@pytest.mark.parametrize("channels", [1, 3, 4, 16, 17, 64, 128, 129, 300])
def test_channels(isa: str, backend: str, channels: int) -> None:
    for dtype in DTYPES:
        for reduce in ("max", "mean"):
            check(clouds.kernel_map("scattered", 3, 2), channels, backend, dtype, reduce)


@pytest.mark.parametrize(("isa", "backend"), CASES, indirect=["isa"])
def test_nan_and_infinity_pass_through(isa: str, backend: str) -> None:
    found = clouds.kernel_map("full cube", 2, 2).pair_lists
    feats = torch.ones(343, 20)
    feats[3, 4], feats[100, 7], feats[200, 9] = float("nan"), float("inf"), -float("inf")
    for reduce in ("max", "sum", "mean"):
        out = POOLS[backend](found, feats, reduce)
        assert torch.equal(out.isnan(), defined(found, feats, reduce).isnan())
        assert torch.equal(out.nan_to_num(7.0), defined(found, feats, reduce).nan_to_num(7.0))


def check(found: KernelMap, channels: int, backend: str, dtype: torch.dtype, reduce: str) -> None:
    generator = torch.Generator().manual_seed(channels)
    feats = torch.randn(found.in_rows, channels, generator=generator).to(dtype)
    out = POOLS[backend](found.pair_lists, feats, reduce)
    expected = defined(found.pair_lists, feats, reduce)
    assert out.dtype == dtype
    # Sums of float64 in another order, then one rounding: at most one step of the dtype apart.
    torch.testing.assert_close(out, expected, rtol=torch.finfo(dtype).eps, atol=1e-14)

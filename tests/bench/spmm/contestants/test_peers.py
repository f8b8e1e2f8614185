"""Every peer computes what it claims to. numba runs in a process of its own: it may bring another OpenMP runtime."""

import importlib.metadata
import subprocess
import sys

import pytest
import torch

from tamis.bench.measurement import Unavailable
from tamis.bench.spmm.contestants import mkl, peers
from tamis.bench.spmm.contestants.listed import (
    ALL,
    CANDIDATES,
    DENSE,
    EIGHT_BITS,
    PACKED_DENSE,
    PEERS,
    ROLES,
    ROUNDED,
)
from tamis.bench.spmm.operands import Operands
from tamis.workloads import Spec, generate

CASES = [
    pytest.param(contestant, pattern, id=f"{contestant.name}-{pattern}")
    for contestant in DENSE + PACKED_DENSE + PEERS
    for pattern in ("unstructured", "4x1", "16x16")
    if contestant.name != "numba_csr" and (contestant.name != "torch_bsr" or pattern == "16x16")
]


def installed(distribution):
    try:
        return bool(importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        return False


needs_mkl = pytest.mark.skipif(not installed("mkl"), reason="package mkl absent")


def operands(pattern="unstructured", n=8, sparsity=0.75, shape=(64, 96)):
    return Operands.make(generate(Spec(*shape, sparsity, pattern)), n, pattern)


@pytest.mark.parametrize(("contestant", "pattern"), CASES)
@pytest.mark.parametrize("n", [1, 8, 33])
def test_products_are_right(contestant, pattern, n):
    given = operands(pattern, n)
    try:
        prepared = contestant.prepare(given, n)
    except Unavailable as reason:
        if "not installed" not in str(reason):
            raise
        pytest.skip(str(reason))
    product = prepared.product(prepared.run())
    assert product.shape == (64, n)
    assert given.error(product) <= given.tolerance
    assert prepared.stored >= int((given.weight != 0).sum())
    assert 0 < prepared.streamed_bytes <= prepared.resident_bytes


def test_bsr_takes_square_blocks_only():
    with pytest.raises(Unavailable, match="square blocks"):
        peers.torch_bsr(operands("4x1"), 8)
    assert peers.torch_bsr(operands("16x16"), 8).stored == 64 * 96 // 4


def test_scipy_is_left_out_where_it_would_take_seconds(monkeypatch):
    monkeypatch.setattr(peers, "_SCIPY_LIMIT", 10)
    with pytest.raises(Unavailable, match="one thread"):
        peers.scipy_csr(operands(), 8)


def test_a_missing_package_is_a_reason():
    with pytest.raises(Unavailable, match="no_such_engine"):
        peers.import_or_unavailable("no_such_engine")


@needs_mkl
def test_mkl_refuses_what_it_cannot_do():
    with pytest.raises(Unavailable, match="float32"):
        peers.mkl_csr(Operands.make(generate(Spec(16, 16, 0.5)).double(), 4, "unstructured"), 4)


@needs_mkl
def test_mkl_reports_its_status():
    crow, col = torch.tensor([0, 1], dtype=torch.int32), torch.tensor([0], dtype=torch.int32)
    with pytest.raises(RuntimeError, match="mkl_sparse_s_create_csr returned status"):
        mkl.Handle(crow, col, torch.ones(1), (-1, 1), 4)


@needs_mkl
def test_mkl_says_what_it_runs_on():
    assert peers.mkl_csr(operands(), 8).detail.startswith("mkl ")
    assert "omp" in mkl.describe()


@pytest.mark.skipif(not installed("numba"), reason="package numba absent")
def test_numba_in_its_own_process():
    script = """
from tamis.bench.spmm.contestants import peers
from tamis.bench.spmm.operands import Operands
from tamis.workloads import Spec, generate
for n in (1, 8, 33):
    given = Operands.make(generate(Spec(64, 96, 0.75)), n, "unstructured")
    prepared = peers.numba_csr(given, n)
    assert prepared.pool == "own"
    assert given.error(prepared.product(prepared.run())) <= given.tolerance
print(prepared.detail)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pool" in done.stdout


def test_names_are_unique():
    assert len(ROLES) == len(ALL + ROUNDED + CANDIDATES + EIGHT_BITS)

"""Instruction sets: forcing one by name, and what the compiled module must not do to older CPUs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tamis._cpu

from tamis.kernels.cpu import force_isa, native

MODULE = Path(tamis._cpu.__file__)
VECTOR_ISAS = [isa for isa in native().isas_compiled() if isa != "baseline"]


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_the_best_supported_isa_runs_unless_one_is_forced() -> None:
    assert native().isa() in native().isas_supported()
    assert "baseline" in native().isas_supported()


@pytest.mark.parametrize("isa", native().isas_supported())
def test_environment_variable_forces_an_isa(isa: str) -> None:
    code = "from tamis.kernels.cpu import native; print(native().isa())"
    assert run(code, TAMIS_CPU_ISA=isa).stdout.strip() == isa


def test_unknown_isa_in_the_environment_is_an_error_that_lists_what_there_is() -> None:
    ended = run("from tamis.kernels.cpu import native; native()", TAMIS_CPU_ISA="avx1024")
    assert ended.returncode != 0
    assert "TAMIS_CPU_ISA=avx1024: this CPU can run " in ended.stderr


def test_forcing_an_unknown_isa_changes_nothing() -> None:
    before = native().isa()
    with pytest.raises(ValueError, match="compiled in are"):
        force_isa("avx1024")
    assert native().isa() == before


@pytest.mark.skipif(not shutil.which("readelf"), reason="needs readelf (binutils)")
def test_the_module_needs_only_the_openmp_runtime_that_torch_brings() -> None:
    wanted = subprocess.run(["readelf", "-d", MODULE], capture_output=True, text=True, check=True).stdout
    needed = [line.split("[")[1].rstrip("]") for line in wanted.splitlines() if "(NEEDED)" in line]
    assert set(needed) <= {
        "libgomp.so.1", "libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2"
    }  # fmt: skip


def test_one_openmp_runtime_in_the_process() -> None:
    code = """
import re, torch, tamis
a = tamis.CSR.from_dense(torch.eye(64)); tamis.spmm(a, torch.randn(64, 64)); torch.mm(torch.randn(99, 99), torch.randn(99, 99))
print(len({l.split()[-1] for l in open('/proc/self/maps') if re.search('lib(gomp|iomp5|omp)[-.0-9]*[.]so', l)}))
"""
    ended = run(code)
    assert ended.stdout.strip() == "1", ended.stderr


def test_torch_does_not_reach_twice_the_fma_peak() -> None:
    """Holds the count of operations behind every share-of-peak figure. Loose by a factor of two, so that a busy machine cannot break it."""
    code = """
import time, torch
from tamis.kernels.cpu.native import native
torch.set_num_threads(1)
a, c = torch.randn(256, 256), torch.empty(256, 256)
def product_gflops():
    start = time.perf_counter()
    torch.mm(a, a, out=c)
    return 2 * 256**3 / (time.perf_counter() - start) / 1e9
peak, reached = 0.0, 0.0
for _ in range(20):
    peak = max(peak, native().fma_peak(0.005))
    reached = max(reached, *(product_gflops() for _ in range(3)))
print(peak, reached)
"""
    best = native().isas_supported()[0]
    ended = run(code, TAMIS_CPU_ISA=best)
    peak, reached = map(float, ended.stdout.split())
    assert reached < 2 * peak
    assert peak < 100 * reached, "an operation count that is too high looks as absurd as one that is too low"


@pytest.fixture(scope="module")
def listing() -> str:
    if not shutil.which("objdump"):
        pytest.skip("needs objdump (binutils)")
    command = ["objdump", "-d", "-C", "--no-show-raw-insn", MODULE]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("isa", VECTOR_ISAS)
def test_hot_loops_of_fma_peak_are_ten_fmas_in_registers(listing: str, isa: str) -> None:
    """Anything beside the FMAs in this loop would make the peak too low, and every share of it too high."""
    (loop,) = hot_loops(listing, f"tamis::{isa}::fma_peak")
    assert len(loop) == 12  # ten chains, the counter, the jump
    assert sum("vfmadd" in line and "(" not in line for line in loop) == 10


@pytest.mark.parametrize("isa", VECTOR_ISAS)
@pytest.mark.parametrize("kernel", ["Csr", "Bsr"])
@pytest.mark.parametrize("ids", ["unsigned char", "unsigned short"])
def test_hot_loops_have_no_stack_traffic_and_load_each_operand_once(
    listing: str, isa: str, kernel: str, ids: str
) -> None:
    """GCC silently spills accumulators and folds shared loads into every FMA; either halves the speed."""
    vectors = {"avx512": 4, "avx2": 3}[isa]
    loops = hot_loops(
        listing,
        f"void tamis::{isa}::block<tamis::{isa}::{kernel}Tile<{ids}>, tamis::{isa}::Float32, {vectors}>",
    )
    assert loops
    for loop in loops:
        fmas = [line for line in loop if "vfmadd" in line]
        from_memory = [line for line in fmas if "(" in line]
        assert len(fmas) == 4 * vectors
        assert len(from_memory) == (4 * vectors if kernel == "Csr" else 0)
        assert not [line for line in loop if "mm" in line and ("(%rsp" in line or "(%rbp" in line)]


def hot_loops(listing: str, function: str) -> list[list[str]]:
    """The innermost loops of a function that contain FMAs: from a backward jump's target to the jump."""
    bodies = [part for part in listing.split("\n\n") if f"<{function}(" in part.split("\n", 1)[0]]
    body = bodies[0] if bodies else ""
    lines = body.splitlines()
    address = {line.split(":")[0].strip(): i for i, line in enumerate(lines) if ":" in line}
    loops = []
    for i, line in enumerate(lines):
        jump = re.search(r"\sj\w+\s+([0-9a-f]+)\s", line)
        start = address.get(jump[1]) if jump else None
        if start is not None and start < i and any("vfmadd" in x for x in lines[start:i]):
            inner = lines[start : i + 1]
            if not any(re.search(r"\sj(?!mp)\w+\s", x) for x in inner[:-1]):
                loops.append(inner)
    return loops

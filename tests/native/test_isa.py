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


@pytest.mark.skipif(not shutil.which("nm"), reason="needs nm (binutils)")
def test_no_weak_symbol_comes_from_code_compiled_for_one_isa() -> None:
    """A weak symbol compiled with -mavx512f might be the one the linker keeps for every CPU."""
    symbols = subprocess.run(["nm", "-C", MODULE], capture_output=True, text=True, check=True).stdout
    weak = [line for line in symbols.splitlines() if " W " in line or " V " in line]
    isas = native().isas_compiled()
    foreign = [
        line
        for line in weak
        if any(f"tamis::{isa}::" in line for isa in isas) and not _inside_isa_namespace(line, isas)
    ]
    assert not foreign


def _inside_isa_namespace(line: str, isas: list[str]) -> bool:
    return any(
        line.split(" ", 2)[-1].lstrip("WV ").startswith((f"void tamis::{isa}::", f"tamis::{isa}::"))
        for isa in isas
    )


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


def test_fma_peak_is_above_any_product_torch_reaches() -> None:
    assert native().fma_peak(0.05) > 1


@pytest.mark.skipif(not shutil.which("objdump"), reason="needs objdump (binutils)")
@pytest.mark.parametrize("isa", [i for i in native().isas_compiled() if i != "baseline"])
@pytest.mark.parametrize("kernel", ["Csr", "Bsr"])
def test_hot_loops_have_no_stack_traffic_and_load_each_operand_once(isa: str, kernel: str) -> None:
    """GCC silently spills accumulators and folds shared loads into every FMA; either halves the speed."""
    listing = subprocess.run(
        ["objdump", "-d", "-C", "--no-show-raw-insn", MODULE], capture_output=True, text=True, check=True
    ).stdout
    vectors = {"avx512": 4, "avx2": 3}[isa]
    loops = hot_loops(
        listing, f"tamis::{isa}::Panel<tamis::{isa}::Float32, {vectors}>::block<tamis::{isa}::{kernel}Tile>"
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
    bodies = [part for part in listing.split("\n\n") if f"<void {function}(" in part.split("\n", 1)[0]]
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

"""Builds the SpMM and SDDMM kernels of one instruction set with their test program, without Python and the other kernels."""

import subprocess
from pathlib import Path

NATIVE = Path(__file__).parent
CSRC = NATIVE.parents[1] / "csrc"
SOURCES = [
    NATIVE / "spmm_on_another_cpu.cpp",
    *(CSRC / name for name in ("parallel.cpp", "pack_spmm.cpp", "pack_window.cpp", "spmm_split.cpp")),
    *(
        CSRC / "kernels" / name
        for name in (
            *("spmm_csr.cpp", "spmm_bsr.cpp", "spmv_window.cpp"),
            *("sddmm_csr.cpp", "sddmm_bsr.cpp", "sddmm_window.cpp"),
        )
    ),
]


def build(compiler: str, isa: str, program: Path, *flags: str) -> None:
    """Compile the kernels as ``isa`` into ``program``; without optimisation, since compiling takes longest."""
    command = [
        compiler,
        "-O0",
        "-std=c++17",
        "-fopenmp",
        f"-DTAMIS_ISA={isa}",
        f"-DTAMIS_ISA_{isa}",
        f"-I{CSRC}",
    ]
    built = subprocess.run(
        [*command, *flags, *map(str, SOURCES), "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr


def output(*command: str) -> str:
    """Run the program, on two threads, and return what it prints."""
    ended = subprocess.run(command, capture_output=True, text=True, env={"OMP_NUM_THREADS": "2"}, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout

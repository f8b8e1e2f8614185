"""The SpMM kernels compiled for Arm and run under emulation, where a cross compiler and qemu are installed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64-static"


@pytest.mark.skipif(
    not (shutil.which(COMPILER) and shutil.which(EMULATOR)), reason=f"needs {COMPILER} and {EMULATOR}"
)
def test_kernels_are_right_on_neon(tmp_path: Path) -> None:
    (tmp_path / "isas.h").write_text("#define TAMIS_FOR_EACH_ISA(X) X(baseline)\n")
    csrc, program = ROOT / "csrc", tmp_path / "kernels"
    sources = [
        Path(__file__).with_name("spmm_on_another_cpu.cpp"),
        *(
            csrc / name
            for name in (
                "dispatch.cpp",
                "parallel.cpp",
                "pack_spmm.cpp",
                "pack_window.cpp",
                "spmm_split.cpp",
                "table.cpp",
            )
        ),
        *sorted((csrc / "kernels").glob("*.cpp")),
    ]
    flags = ["-O1", "-std=c++17", "-fopenmp", "-static", "-DTAMIS_ISA=baseline", "-DTAMIS_ISA_baseline"]
    subprocess.run(
        [COMPILER, *flags, f"-I{csrc}", f"-I{tmp_path}", *map(str, sources), "-o", str(program)],
        check=True,
        capture_output=True,
    )
    ended = subprocess.run(
        [EMULATOR, str(program)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "baseline: 42 products" in ended.stdout

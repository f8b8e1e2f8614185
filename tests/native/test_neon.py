"""The SpMM kernels compiled for Arm and run under emulation, where a cross compiler and qemu are installed."""

import shutil
from pathlib import Path

import pytest

from tests.native.emulated import build, output

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64-static"


@pytest.mark.skipif(
    not (shutil.which(COMPILER) and shutil.which(EMULATOR)), reason=f"needs {COMPILER} and {EMULATOR}"
)
def test_kernels_are_right_on_neon(tmp_path: Path) -> None:
    program = tmp_path / "kernels"
    build(COMPILER, "baseline", program, "-static")
    assert "baseline: 138 products" in output(EMULATOR, str(program))

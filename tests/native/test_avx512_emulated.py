"""The SpMM kernels of AVX-512, its intrinsics emulated lane by lane: right on every x86 CPU that has AVX2."""

import platform
import shutil
from pathlib import Path

import pytest

from tamis.kernels.cpu.native import native
from tests.native.emulated import NATIVE, build, output


@pytest.mark.skipif(
    platform.machine() != "x86_64" or "avx2" not in native().isas_supported() or not shutil.which("g++"),
    reason="needs g++ and an x86 CPU with AVX2",
)
def test_avx512_kernels_are_right_with_emulated_intrinsics(tmp_path: Path) -> None:
    program, emulation = tmp_path / "kernels", str(NATIVE / "avx512_emulated.h")
    build("g++", "avx512", program, "-mavx2", "-mfma", "-mf16c", "-Wno-psabi", "-include", emulation)
    assert "avx512: 138 products" in output(str(program))

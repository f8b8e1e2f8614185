"""Where and with what a benchmark ran, for every row."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch

import tamis
from tamis.kernels.cpu import native
from tamis.tuning import device_name

_TAKING_PART = ("torch", "numpy", "scipy", "numba", "mkl")
_FINGERPRINTED = ("kernels", "ops", "tuning")  # rooms that decide how fast ours is


@dataclass(frozen=True)
class Machine:
    """The fields that all rows of a run share; see :class:`tamis.bench.measurement.Measured`."""

    device: str
    cpu: str
    isa: str
    threads: int
    versions: str
    build: str
    peak_gflops: float | None


def this_machine(package: Path = Path(tamis.__file__).parent) -> Machine:
    """Describe this process: CPU, ISA in use, threads, versions of the contestants, FMA peak (takes 0.3 s).

    Parameters
    ----------
    package : Path
        Folder whose code the fingerprint is taken of.
    """
    compiled = _native()
    threads = torch.get_num_threads()
    versions = [f"python {platform.python_version()}", f"tamis {tamis.__version__}"]
    versions += [f"{name} {_version(name)}" for name in _TAKING_PART]
    return Machine(
        device="cpu",
        cpu=cpu_name(),
        isa=str(compiled.isa()) if compiled else "none",
        threads=threads,
        versions="; ".join(versions),
        build=fingerprint(package),
        peak_gflops=_fma_peak_gflops(compiled, threads) if compiled else None,
    )


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The CPU's own name and, on x86, family and model numbers (virtual machines often hide the rest of the name)."""
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    numbers = [re.search(rf"^{field}\s*: (\d+)$", text, re.MULTILINE) for field in ("cpu family", "model")]
    family, model = (found[1] if found else None for found in numbers)
    return f"{device_name()} (family {family}, model {model})" if family and model else device_name()


def fingerprint(package: Path) -> str:
    """Twelve hex digits that change with the native module or with the code around the kernels."""
    files = [path for room in _FINGERPRINTED for path in sorted((package / room).rglob("*.py"))]
    native = _native()
    if native is not None and native.__file__:
        files.append(Path(native.__file__))
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _native() -> ModuleType | None:
    """The native module on the instruction set that it will run on, ``TAMIS_CPU_ISA`` minded."""
    try:
        return native()
    except ImportError:
        return None


def _fma_peak_gflops(native: ModuleType, threads: int) -> float:
    """Sum over all threads running at once: cores often clock lower, or share a port, when all are busy."""
    with ThreadPoolExecutor(threads) as pool:
        return float(sum(pool.map(native.fma_peak, [0.3] * threads)))


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "absent"

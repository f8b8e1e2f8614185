"""``tamis doctor``: what this machine is, what of tamis works on it, and what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Iterator

import torch
import typer
from rich.console import Console

import tamis
from tamis.kernels.cpu import ISA_VARIABLE, native
from tamis.tuning import device_name, openmp_runtimes, path_for

app = typer.Typer(add_completion=False)

UNTESTED = {"aarch64": "SpMM kernels run by us under emulation only", "arm64": "never run by us"}


@app.command()
def doctor() -> None:
    """Tell CPU, instruction sets, threads, versions, and what is missing."""
    console = Console(highlight=False, soft_wrap=True)
    for name, fact in _facts():
        console.print(f"[bold]{name:<18}[/] {fact}")
    for extra, missing in _extras().items():
        state = f"needs {', '.join(missing)}: pip install 'tamis\\[{extra}]'" if missing else "complete"
        console.print(f"  [bold]tamis\\[{extra}][/] {state}")


def _facts() -> Iterator[tuple[str, str]]:
    cpu = native()
    threads = torch.get_num_threads()
    yield "tamis", tamis.__version__
    yield "Python, torch", f"{platform.python_version()}, {torch.__version__}"
    yield "CPU", f"{device_name()} ({platform.machine()}), {os.cpu_count()} logical CPUs"
    runs = ", ".join(cpu.isas_supported())
    forced = f", forced by {ISA_VARIABLE}" if os.environ.get(ISA_VARIABLE) else ""
    yield "instruction sets", f"{cpu.isa()} in use{forced}; this CPU can run {runs}"
    if platform.machine() in UNTESTED:
        yield "warning", f"[yellow]{platform.machine()}: {UNTESTED[platform.machine()]}[/]"
    yield "FMA peak", f"{cpu.fma_peak(0.1):.0f} float32 GFLOP/s, one thread"
    yield "threads", f"{threads} (torch.get_num_threads())"
    tuned = path_for(cpu.isa(), threads)
    yield (
        "tuning",
        str(tuned) if tuned.exists() else "shipped constants; `tamis tune` measures this machine in seconds",
    )
    yield "OpenMP runtimes", ", ".join(openmp_runtimes()) or "unknown"
    yield (
        "CUDA",
        torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else "no GPU (the CPU kernels are all there is today)",
    )


def _extras() -> dict[str, list[str]]:
    """Extra -> the packages it names that are not installed."""
    wanted: dict[str, list[str]] = {}
    try:
        requirements = importlib.metadata.requires("tamis") or []
    except importlib.metadata.PackageNotFoundError:
        return {}  # run from the source tree, not installed
    for requirement in requirements:
        found = re.match(r"([\w.-]+)(?:\[.*?])?.*extra == ['\"](\w+)['\"]", requirement)
        if found and found[2] not in ("dev", "all") and found[1] != "tamis":
            wanted.setdefault(found[2], []).append(found[1])
    return {extra: [p for p in packages if not _installed(p)] for extra, packages in wanted.items()}


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True

"""Where and with what the tour ran."""

from __future__ import annotations

import importlib.metadata
import platform
from datetime import datetime

import torch

import tamis
from tamis.kernels.cpu import native
from tamis.tuning import device_name, path_for


def environment(command: str) -> dict[str, str]:
    """Name -> fact, in the order to be shown."""
    cpu, threads = native(), torch.get_num_threads()
    versions = {
        "tamis": tamis.__version__,
        "torch": torch.__version__,
        "transformers": _version("transformers"),
        "Python": platform.python_version(),
    }
    return {
        "CPU": f"{device_name()} ({platform.machine()})",
        "Instruction set": f"{cpu.isa()}, of {', '.join(cpu.isas_supported())}",
        "Threads": str(threads),
        "Number format": "float32",
        "Tuning": "measured on this machine"
        if path_for(cpu.isa(), threads).exists()
        else "shipped constants",
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "System": f"{platform.system()} {platform.release()}",
        "Date": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %z"),
        "Command": command,
    }


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"

"""The shared libraries of this process."""

from pathlib import Path


def loaded_libraries() -> list[str]:
    """Paths of the shared libraries that are mapped into this process now (Linux; elsewhere none are known)."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return sorted({line.split()[-1] for line in lines if ".so" in line})


def openmp_runtimes() -> list[str]:
    """Paths of the OpenMP runtimes among them; more than one means thread pools that fight for the cores."""
    return [
        path for path in loaded_libraries() if Path(path).name.startswith(("libgomp", "libiomp5", "libomp"))
    ]

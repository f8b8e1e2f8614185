"""Energy of a call, on machines whose kernel exposes the CPU's counters (Linux powercap, RAPL)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

POWERCAP = Path("/sys/class/powercap")


def joules_per_call(
    call: Callable[[], object], *, seconds: float = 0.3, root: Path = POWERCAP
) -> float | None:
    """Run ``call`` alone for about ``seconds`` and divide the energy of all CPU packages by the number of calls.

    The figure includes what an idle machine draws. A counter that wraps around during the run is corrected by its range.

    Returns
    -------
    float, or None where there is no counter that this user may read (virtual machines, most containers).
    """
    before = _read(root)
    if before is None:
        return None
    calls, start = 0, perf_counter()
    while perf_counter() - start < seconds:
        call()
        calls += 1
    after = _read(root)
    if after is None or after.keys() != before.keys():
        return None
    used = 0
    for package, (energy, wrap) in after.items():
        difference = energy - before[package][0]
        used += difference if difference >= 0 else difference + wrap
    return used * 1e-6 / calls


def _read(root: Path) -> dict[str, tuple[int, int]] | None:
    """Microjoules so far, and the range, of each package; None where there is none or it may not be read."""
    found = {}
    try:
        for package in sorted(root.glob("intel-rapl:?")):
            energy, wrap = ((package / name).read_text() for name in ("energy_uj", "max_energy_range_uj"))
            found[package.name] = int(energy), int(wrap)
    except OSError:
        return None
    return found or None

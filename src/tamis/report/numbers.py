"""Numbers as people read them; what is not known is an en dash."""

from __future__ import annotations

import math

from tamis.report.table import Cell

UNKNOWN = "–"


def times(value: float) -> str:
    """A factor with two or three significant digits: "2.40×", "12.3×"."""
    return f"{value:.2f}×" if abs(value) < 9.995 else f"{value:.1f}×"


def percent(share: float, digits: int = 1) -> str:
    """A share of 1 in percent: "81.5 %"."""
    return f"{100 * share:.{digits}f} %"


def mib(count: float) -> str:
    """Bytes in MiB, without the unit: "12.3"."""
    return f"{count / 2**20:.1f}"


def duration(us: float | None) -> str | Cell:
    """Microseconds as a table cell, in the unit that reads best: "12.5 µs", "310 µs", "12.0 ms"."""
    if us is None:
        return UNKNOWN
    text = f"{us:.1f} µs" if us < 100 else f"{us:.0f} µs" if us < 10_000 else f"{us / 1000:.1f} ms"
    return Cell(text, us)


def ratio(value: float | None) -> str | Cell:
    """A speed relative to another as a table cell: green above 1, red below."""
    if value is None:
        return UNKNOWN
    return Cell(times(value), value, shade="gain" if value >= 1 else "loss", strength=_strength(value))


def _strength(value: float) -> float:
    """How strongly a ratio is shaded, 0..1: twice as fast is seen, and eight times as fast more so."""
    if value < 1:
        return round(min(1.0, 0.06 + 1.9 * (1 - value)), 2)
    return round(min(1.0, 0.03 + 0.3 * math.pow(value - 1, 0.6)), 2)

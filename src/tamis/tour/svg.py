"""Charts as SVG text: axes, marks and words whose colours are the page's, so that they follow its light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape


@dataclass(frozen=True)
class Axis:
    """A linear axis: data from ``low`` to ``high`` on pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)


@dataclass
class Chart:
    """SVG elements, collected in drawing order.

    Attributes
    ----------
    width, height : float
        In its own units; the page scales it to fit.
    label : str
        What it shows, for those who cannot see it.
    """

    width: float
    height: float
    label: str
    parts: list[str] = field(default_factory=list)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self.parts.append(f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')

    def path(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        if len(points) > 1:
            self.parts.append(
                f'<polyline class="{kind}" points="{" ".join(f"{x},{y}" for x, y in points)}"/>'
            )

    def box(self, x: float, y: float, width: float, height: float, kind: str, title: str = "") -> None:
        self.parts.append(
            f'<rect class="{kind}" x="{x}" y="{y}" width="{round(max(width, 0), 2)}" '
            f'height="{round(max(height, 0), 2)}">{_title(title)}</rect>'
        )

    def dot(self, x: float, y: float, kind: str, title: str = "", radius: float = 5) -> None:
        self.parts.append(f'<circle class="{kind}" cx="{x}" cy="{y}" r="{radius}">{_title(title)}</circle>')

    def text(self, x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> None:
        self.parts.append(
            f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def x_axis(
        self, axis: Axis, ticks: Sequence[float], form: str, name: str, top: float, bottom: float
    ) -> None:
        """Draw grid lines from ``top`` to ``bottom``, numbers below them, and the axis' name."""
        for tick in ticks:
            self.line(axis(tick), top, axis(tick), bottom, "grid")
            self.text(axis(tick), bottom + 18, form.format(tick), "middle", "tick")
        self.text((axis.start + axis.end) / 2, bottom + 38, name, "middle", "name")

    def y_axis(
        self, axis: Axis, ticks: Sequence[float], form: str, name: str, left: float, right: float
    ) -> None:
        """Draw grid lines from ``left`` to ``right``, numbers before them, and the axis' name above."""
        for tick in ticks:
            self.line(left, axis(tick), right, axis(tick), "grid")
            self.text(left - 8, axis(tick) + 4, form.format(tick), "end", "tick")
        self.text(0, min(axis.start, axis.end) - 12, name, "start", "name")

    def svg(self) -> str:
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{escape(self.label)}" '
            f'style="max-width:{self.width:g}px">{"".join(self.parts)}</svg>'
        )


def nice_ticks(high: float, most: int = 7) -> list[float]:
    """Round numbers from 0 to at least ``high``, no more than ``most`` + 1 of them."""
    step = 1e-9
    for scale in range(-6, 12):
        for lead in (1, 2, 2.5, 5):
            step = lead * 10.0**scale
            if high / step <= most:
                count = int(-(-high // step))
                return [round(step * i, 9) for i in range(max(count, 1) + 1)]
    return [0.0, high]


def _title(title: str) -> str:
    return f"<title>{escape(title)}</title>" if title else ""

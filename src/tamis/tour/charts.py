"""The figures of the page, each from a Tour to SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tamis.report import (
    COLOURS,
    INK,
    LINE,
    PAPER,
    PLAIN,
    SAFE,
    SOFT,
    figure,
    mark,
    mib,
    name_axes,
    style,
    svg,
    times,
)
from tamis.tour.rows import INTACT, ModelRow, Tour
from tamis.tour.verdict import best_row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 880
_COSINE = "mean cosine to the dense embedding"


def patterns(tour: Tour) -> list[str]:
    """The patterns of a tour, each once."""
    return list(dict.fromkeys(row.configuration.pattern for row in tour.rows))


def series(tour: Tour, pattern: str) -> str:
    """Name the colour of a pattern, "a" to "e": the same in every figure and key."""
    return "abcde"[patterns(tour).index(pattern) % len(COLOURS)]


def trade_off(tour: Tour) -> str:
    """Speed against what is left of the embeddings: every configuration a point, ruined ones hollow and grey."""
    with style():
        drawn, (axes,) = figure(_WIDTH, 430)
        lowest = max(0.0, int(10 * min(row.mean_cosine for row in tour.rows)) / 10)
        axes.set_ylim(lowest, 1.02)
        axes.set_xlim(0, 1.04 * max([1.0, *(tour.speedup(row) for row in tour.rows)]))
        axes.axhspan(INTACT, 1.02, color=SAFE, lw=0)
        _dense_line(axes, 1.0, "dense", "-")
        if tour.packed_batch is not None:
            _dense_line(axes, tour.dense_batch.ms / tour.packed_batch.ms, "dense, packed", (0, (5, 4)))
        for pattern in patterns(tour):
            rows = _of(tour, pattern)
            if pattern != "mixed":
                speeds = [tour.speedup(row) for row in rows]
                axes.plot(speeds, [row.mean_cosine for row in rows], color=LINE, lw=1.5, zorder=1)
            for row in rows:
                _point(axes, tour, row)
        best = best_row(tour)
        if best is not None:
            look: dict[str, Any] = {"mfc": "none", "mec": INK, "mew": 1.5, "zorder": 5}
            axes.plot([tour.speedup(best)], [best.mean_cosine], "o", ms=19, **look)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
        name_axes(axes, "speed of the whole model, dense PyTorch = 1×", _COSINE)
        return svg(drawn, "Speed of the whole model against mean cosine to the dense embedding")


def _dense_line(axes: Axes, speed: float, words: str, dashes: Any) -> None:
    axes.axvline(speed, color=PLAIN, lw=1.5, ls=dashes, zorder=1)
    look: dict[str, Any] = {"fontsize": 11, "color": SOFT, "xytext": (6, 6), "textcoords": "offset points"}
    axes.annotate(words, (speed, axes.get_ylim()[0]), **look)


def _point(axes: Axes, tour: Tour, row: ModelRow) -> None:
    name, colour = series(tour, row.configuration.pattern), _colour(tour, row.configuration.pattern)
    at = tour.speedup(row), row.mean_cosine
    look: dict[str, Any] = {"mfc": PAPER, "mec": PLAIN, "mew": 1.8}
    if row.intact:
        look = {"mfc": colour, "mec": colour}
    (dot,) = axes.plot(*([value] for value in at), "o", ms=9, zorder=4, **look)
    mark(dot, f"{row.configuration.name}: {times(at[0])}, mean cosine {at[1]:.3f}")
    if row.configuration.sparsity is None:
        return
    shift, align = ((7, 4), "left") if name == "a" else ((-7, -12), "right")
    words = f"{100 * row.configuration.sparsity:g}"
    text: dict[str, Any] = {
        "fontsize": 11,
        "color": SOFT,
        "xytext": shift,
        "textcoords": "offset points",
        "ha": align,
    }
    axes.annotate(words, at, zorder=4, **text)


def damage(tour: Tour) -> str:
    """Mean cosine against sparsity: calibrated scores solid, magnitude dashed."""
    with style():
        drawn, (axes,) = figure(_WIDTH, 330)
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 1.02)
        axes.axhspan(INTACT, 1.02, color=SAFE, lw=0)
        for pattern in patterns(tour):
            colour = _colour(tour, pattern)
            rows = _of(tour, pattern)
            points = [(100 * row.sparsity, row.mean_cosine) for row in rows]
            if pattern != "mixed":
                _curve(axes, points, color=colour, lw=2)
            for row, (x, y) in zip(rows, points, strict=True):
                (dot,) = axes.plot([x], [y], "o", ms=8, color=colour)
                mark(dot, f"{row.configuration.name}: {y:.3f}")
            for curve in _damages(tour, pattern).values():
                _curve(axes, curve, color=colour, lw=2, ls=(0, (3, 2)))
        axes.set_xticks(range(0, 101, 10), [f"{tick} %" for tick in range(0, 101, 10)])
        name_axes(axes, "sparsity of the linear layers", _COSINE)
        return svg(drawn, "Mean cosine to the dense embedding against sparsity, per pattern and score")


def _curve(axes: Axes, points: Iterable[tuple[float, float]], **look: Any) -> None:
    """A line through ``points`` from the dense model: no zeros, cosine 1."""
    axes.plot(*zip((0.0, 1.0), *points, strict=True), **look)


def _damages(tour: Tour, pattern: str) -> dict[str, list[tuple[float, float]]]:
    by_score: dict[str, list[tuple[float, float]]] = {}
    for found in tour.damages:
        sparsity = found.configuration.sparsity
        if found.configuration.pattern == pattern and sparsity is not None:
            by_score.setdefault(found.score, []).append((100 * sparsity, found.mean_cosine))
    return by_score


def layer_times(tour: Tour, row: ModelRow) -> str:
    """Dense and sparse time of every layer: two dots on a line; empty without a timed layer."""
    layers = [r.layer for r in row.layers if r.layer.dense_ms is not None and r.layer.sparse_ms is not None]
    if not layers:
        return ""
    places = range(len(layers))
    dense, sparse = ([getattr(layer, name) for layer in layers] for name in ("dense_ms", "sparse_ms"))
    with style():
        drawn, (axes,) = figure(_WIDTH, 19 * len(layers) + 80)
        axes.hlines(places, dense, sparse, color=LINE, lw=3, zorder=1)
        for place, layer in zip(places, layers, strict=True):
            (dot,) = axes.plot([dense[place]], [place], "o", ms=8, color=PLAIN)
            mark(dot, f"{layer.name}, dense: {dense[place]:.3f} ms")
            (dot,) = axes.plot(
                [sparse[place]], [place], "o", ms=8, color=_colour(tour, row.configuration.pattern)
            )
            mark(dot, f"{layer.name}, {layer.format}: {sparse[place]:.3f} ms")
        _list_down(axes, [short_name(layer.name) for layer in layers])
        axes.set_xlim(0, 1.02 * max(dense + sparse))
        axes.set_xlabel("time in one forward pass, ms")
        return svg(drawn, f"Time of every linear layer, dense and sparse: {row.configuration.name}")


def memory(tour: Tour) -> str:
    """Bytes of the linear weights: of layers that stay dense, and of sparse ones."""
    bars = [("dense", tour.dense_bytes, 0, PLAIN)]
    bars += [
        (r.configuration.name, r.format_bytes, r.packed_bytes, _colour(tour, r.configuration.pattern))
        for r in tour.rows
    ]
    with style():
        drawn, (axes,) = figure(_WIDTH, 25 * len(bars) + 80)
        for place, (name, stored, packed, colour) in enumerate(bars):
            (bar,) = axes.barh([place], [stored / 2**20], height=0.6, color=colour)
            mark(bar, f"{name}: {mib(stored)} MiB dense")
            if packed:
                left = [stored / 2**20]
                (bar,) = axes.barh([place], [packed / 2**20], left=left, height=0.6, color=colour, alpha=0.38)
                mark(bar, f"{name}: {mib(packed)} MiB packed")
        _list_down(axes, [name for name, *_ in bars])
        axes.set_xlabel("weights of the linear layers, MiB")
        return svg(drawn, "Memory of the linear weights in every configuration")


def _list_down(axes: Axes, names: Sequence[str]) -> None:
    """Name the lines of a figure from top to bottom."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.3, -0.7)
    axes.grid(visible=False, axis="y")


def _of(tour: Tour, pattern: str) -> list[ModelRow]:
    return [row for row in tour.rows if row.configuration.pattern == pattern]


def _colour(tour: Tour, pattern: str) -> str:
    return COLOURS["abcde".index(series(tour, pattern))]


def short_name(name: str) -> str:
    """A layer's name without what all layers share."""
    return name.removeprefix("encoder.").replace("attention.", "att.")

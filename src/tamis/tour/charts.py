"""The figures of the page, each from a Tour to SVG text."""

from __future__ import annotations

from tamis.tour.rows import INTACT, ModelRow, Tour
from tamis.tour.svg import Axis, Chart, nice_ticks
from tamis.tour.verdict import best_row

COLOURS = ("a", "b", "c", "d", "e")


def pattern_class(tour: Tour, pattern: str) -> str:
    """Name the colour class of a pattern: the same in every figure."""
    patterns = list(dict.fromkeys(row.configuration.pattern for row in tour.rows))
    return COLOURS[patterns.index(pattern) % len(COLOURS)]


def trade_off(tour: Tour) -> str:
    """Speed against what is left of the embeddings: every configuration a point, ruined ones hollow and grey."""
    chart = Chart(880, 430, "Speed of the whole model against mean cosine to the dense embedding")
    fastest = max([1.0, *(tour.speedup(row) for row in tour.rows)])
    ticks = nice_ticks(fastest * 1.04)
    lowest = min(row.mean_cosine for row in tour.rows)
    x, y = Axis(0, ticks[-1], 56, 860), Axis(max(0.0, int(lowest * 10) / 10), 1.02, 372, 32)
    chart.box(56, y(1.02), 804, y(INTACT) - y(1.02), "safe")
    chart.y_axis(y, _tenths(y.low), "{:.1f}", "mean cosine to the dense embedding", 56, 860)
    chart.x_axis(x, ticks, "{:g}×", "speed of the whole model, dense PyTorch = 1×", 32, 372)
    chart.line(x(1), 32, x(1), 372, "dense")
    chart.text(x(1) + 6, 366, "dense", kind="tick")
    if tour.packed_batch is not None:
        packed = tour.dense_batch.ms / tour.packed_batch.ms
        chart.line(x(packed), 32, x(packed), 372, "dense dashed")
        chart.text(x(packed) + 6, 366, "dense, packed", kind="tick")
    for pattern in dict.fromkeys(row.configuration.pattern for row in tour.rows):
        rows = [row for row in tour.rows if row.configuration.pattern == pattern]
        if pattern != "mixed":
            chart.path([(x(tour.speedup(r)), y(r.mean_cosine)) for r in rows], "thread")
        for row in rows:
            _point(chart, tour, row, x, y)
    best = best_row(tour)
    if best is not None:
        chart.dot(x(tour.speedup(best)), y(best.mean_cosine), "ring", radius=10)
    return chart.svg()


def _point(chart: Chart, tour: Tour, row: ModelRow, x: Axis, y: Axis) -> None:
    colour = pattern_class(tour, row.configuration.pattern)
    kind = f"dot {colour}" if row.intact else f"dot ruined {colour}"
    told = f"{row.configuration.name}: {tour.speedup(row):.2f}×, mean cosine {row.mean_cosine:.3f}"
    px, py = x(tour.speedup(row)), y(row.mean_cosine)
    chart.dot(px, py, kind, told)
    if row.configuration.sparsity is not None:
        left = colour != "a"
        chart.text(
            px - 9 if left else px + 9,
            py + 14 if left else py - 5,
            f"{100 * row.configuration.sparsity:g}",
            "end" if left else "start",
            "tick",
        )


def damage(tour: Tour) -> str:
    """Mean cosine against sparsity: calibrated scores solid, magnitude dashed."""
    chart = Chart(880, 330, "Mean cosine to the dense embedding against sparsity, per pattern and score")
    x, y = Axis(0, 100, 56, 860), Axis(0, 1.02, 272, 32)
    chart.box(56, y(1.02), 804, y(INTACT) - y(1.02), "safe")
    chart.y_axis(y, [0, 0.2, 0.4, 0.6, 0.8, 1], "{:.1f}", "mean cosine to the dense embedding", 56, 860)
    chart.x_axis(x, list(range(0, 101, 10)), "{:g} %", "sparsity of the linear layers", 32, 272)
    for pattern in dict.fromkeys(row.configuration.pattern for row in tour.rows):
        colour = pattern_class(tour, pattern)
        rows = [row for row in tour.rows if row.configuration.pattern == pattern]
        if pattern != "mixed":
            chart.path(
                [(x(0), y(1))] + [(x(100 * r.sparsity), y(r.mean_cosine)) for r in rows], f"curve {colour}"
            )
        for row in rows:
            chart.dot(
                x(100 * row.sparsity),
                y(row.mean_cosine),
                f"dot {colour}",
                f"{row.configuration.name}: {row.mean_cosine:.3f}",
                4,
            )
        by_score: dict[str, list[tuple[float, float]]] = {}
        for d in tour.damages:
            if d.configuration.pattern == pattern and d.configuration.sparsity is not None:
                points = by_score.setdefault(d.score, [(x(0), y(1))])
                points.append((x(100 * d.configuration.sparsity), y(d.mean_cosine)))
        for points in by_score.values():
            chart.path(points, f"curve dashed {colour}")
    return chart.svg()


def layer_times(tour: Tour, row: ModelRow) -> str:
    """Dense and sparse time of every layer: two dots on a line."""
    rows = [r.layer for r in row.layers if r.layer.dense_ms is not None and r.layer.sparse_ms is not None]
    if not rows:
        return ""
    step, top = 19, 34
    bottom = top + step * len(rows)
    chart = Chart(880, bottom + 46, f"Time of every linear layer, dense and sparse: {row.configuration.name}")
    ticks = nice_ticks(max(max(r.dense_ms or 0, r.sparse_ms or 0) for r in rows) * 1.02)
    x = Axis(0, ticks[-1], 250, 865)
    chart.x_axis(x, ticks, "{:g}", "time in one forward pass, ms", top - 8, bottom)
    for i, layer in enumerate(rows):
        y = top + step * i + step / 2
        dense, sparse = layer.dense_ms or 0.0, layer.sparse_ms or 0.0
        chart.text(240, y + 4, short_name(layer.name), "end", "tick")
        chart.line(x(dense), y, x(sparse), y, "bond")
        chart.dot(x(dense), y, "dot plain", f"{layer.name}, dense: {dense:.3f} ms", 4.5)
        chart.dot(
            x(sparse),
            y,
            f"dot {pattern_class(tour, row.configuration.pattern)}",
            f"{layer.name}, {layer.format}: {sparse:.3f} ms",
            4.5,
        )
    return chart.svg()


def memory(tour: Tour) -> str:
    """Bytes of the linear weights: dense, or format and packed copies."""
    step, top = 25, 30
    bars = [("dense", tour.dense_bytes, 0, "plain")]
    bars += [
        (r.configuration.name, r.format_bytes, r.packed_bytes, pattern_class(tour, r.configuration.pattern))
        for r in tour.rows
    ]
    bottom = top + step * len(bars)
    chart = Chart(880, bottom + 46, "Memory of the linear weights in every configuration")
    ticks = nice_ticks(max(a + b for _, a, b, _ in bars) / 2**20 * 1.02)
    x = Axis(0, ticks[-1], 170, 865)
    chart.x_axis(x, ticks, "{:g}", "weights of the linear layers, MiB", top - 6, bottom)
    for i, (name, stored, packed, colour) in enumerate(bars):
        y = top + step * i
        first, second = x(stored / 2**20), x((stored + packed) / 2**20)
        chart.text(160, y + 15, name, "end", "tick")
        chart.box(
            170, y + 4, first - 170, step - 10, f"bar {colour}", f"{name}: {_mib(stored)} in its format"
        )
        if packed:
            chart.box(
                first,
                y + 4,
                second - first,
                step - 10,
                f"bar packed {colour}",
                f"{name}: {_mib(packed)} packed",
            )
    return chart.svg()


def _mib(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"


def short_name(name: str) -> str:
    """A layer's name without what all layers share."""
    return name.removeprefix("encoder.").replace("attention.", "att.")


def _tenths(low: float) -> list[float]:
    return [i / 10 for i in range(round(low * 10), 11)]

"""Figures of the SpMM suite, drawn within :func:`tamis.report.style`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tamis.bench.spmm.results.summary import CellResult, Spread, grouped, pattern_rank
from tamis.bench.spmm.rows import Row
from tamis.report import COLOURS, INK, PLAIN, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS, DENSE = COLOURS[0], PLAIN
_PEER_LINE: dict[str, Any] = {"lw": 1.3, "marker": "o", "ms": 3}
OTHERS: dict[str, dict[str, Any]] = {
    "dense_onednn": {"color": DENSE, "lw": 1.6, "ls": (0, (1, 1))},
    "mkl_csr": {"color": "#2f6fb7", **_PEER_LINE},
    "torch_csr": {"color": "#8fb7dd", **_PEER_LINE},
    "torch_bsr": {"color": "#b8860b", **_PEER_LINE},
    "scipy_csr": {"color": "#b9b9b9", **_PEER_LINE},
    "numba_csr": {"color": "#c8553d", **_PEER_LINE},
}
LENGTHS = ("#a7d3c0", "#5aae8c", COLOURS[0], "#0a4a37", INK)

_COLUMNS = 3
_TICKS = (0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


def speed_figure(results: Sequence[CellResult], rows: Iterable[Row]) -> Figure:
    """Speed relative to dense against sparsity: a panel per pattern, ours with quartiles and worst cell, peers as lines."""
    patterns = [
        p for p in _patterns(results) if len({_target(r.row) for r in results if r.row.pattern == p}) > 1
    ]
    patterns = patterns or _patterns(results)[:1]
    others = [row for row in rows if row.contestant in OTHERS and row.speedup and row.status == "ok"]
    drawn, panels = _panels(len(patterns))
    for axes, pattern in zip(panels, patterns, strict=False):
        ours = grouped(
            [r for r in results if r.row.pattern == pattern], _target, lambda result: result.vs_dense
        )
        _draw_ours(axes, ours)
        for name, look in OTHERS.items():
            of_other = _speeds(others, name, pattern)
            if of_other:
                axes.plot(
                    list(of_other), [spread.geomean for spread in of_other.values()], label=name, **look
                )
        axes.set_title(pattern)
        _speed_axis(axes)
    for axes in panels[::_COLUMNS]:
        axes.set_ylabel("speed relative to dense")
    entries = {
        label: line for axes in panels for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    drawn.legend(entries.values(), entries.keys(), loc="outside right upper")
    return drawn


def peak_figure(results: Sequence[CellResult]) -> Figure | None:
    """Share of the FMA peak against sparsity, a line per n; None without a measured peak."""
    of_peak = [r for r in results if r.row.peak_gflops and r.row.gflops and r.row.pattern == "unstructured"]
    if not of_peak:
        return None
    drawn, (axes,) = _panels(1, width=460)
    lengths = sorted({result.row.n for result in of_peak})
    for n, colour in zip(lengths, LENGTHS[-len(lengths) :], strict=False):
        shares = grouped([r for r in of_peak if r.row.n == n], _target, _share_of_peak)
        values = [100 * spread.geomean for spread in shares.values()]
        axes.plot(list(shares), values, color=colour, marker="o", ms=4, label=f"n = {n}")
    axes.set_ylim(0, 100)
    axes.set_ylabel("useful FLOP/s, % of FMA peak")
    _sparsity_axis(axes)
    axes.legend()
    return drawn


def _panels(count: int, width: int = 300) -> tuple[Figure, Sequence[Axes]]:
    lines, columns = -(-count // _COLUMNS), min(count, _COLUMNS)
    made, axes = figure(width * columns, 270 * lines, rows=lines, columns=columns, sharey=True)
    for unused in axes[count:]:
        unused.remove()
    return made, axes[:count]


def _draw_ours(axes: Axes, ours: Mapping[float, Spread]) -> None:
    sparsities, spreads = list(ours), list(ours.values())
    quartiles = [spread.q1 for spread in spreads], [spread.q3 for spread in spreads]
    axes.fill_between(sparsities, *quartiles, color=OURS, alpha=0.18, lw=0)
    axes.plot(sparsities, [spread.min for spread in spreads], ls="", marker="_", ms=9, color=OURS)
    axes.plot(
        sparsities,
        [spread.geomean for spread in spreads],
        color=OURS,
        lw=2.4,
        marker="o",
        ms=4.5,
        label="tamis",
        zorder=3,
    )


def _speed_axis(axes: Axes) -> None:
    axes.axhline(1, color=DENSE, lw=1, ls=(0, (4, 3)))
    axes.set_yscale("log", base=2)
    low, high = axes.get_ylim()
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}×" for tick in ticks])
    axes.minorticks_off()
    _sparsity_axis(axes)


def _sparsity_axis(axes: Axes) -> None:
    from matplotlib.ticker import MultipleLocator

    low = 0.1 * int(10 * axes.dataLim.x0 - 1e-6)
    axes.set_xlim(low, 1.0)
    axes.xaxis.set_major_locator(MultipleLocator(0.1 if low >= 0.5 else 0.25))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.set_xlabel("sparsity")


def _speeds(rows: Iterable[Row], name: str, pattern: str) -> dict[float, Spread]:
    speeds: dict[float, list[float]] = {}
    for row in rows:
        if row.contestant == name and row.pattern == pattern and row.speedup:
            speeds.setdefault(_target(row), []).append(row.speedup)
    return {target: Spread.of(values) for target, values in sorted(speeds.items())}


def _patterns(results: Iterable[CellResult]) -> list[str]:
    return sorted({result.row.pattern for result in results}, key=pattern_rank)


def _target(row: Row) -> float:
    return round(row.sparsity, 2) if row.target is None else row.target


def _share_of_peak(result: CellResult) -> float | None:
    row = result.row
    return row.gflops / row.peak_gflops if row.gflops and row.peak_gflops else None

"""Tables of the SpMM suite's page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tamis.bench.spmm.results.summary import (
    CellResult,
    Crossover,
    Spread,
    foreign_plan_cost,
    grouped,
    not_timed,
    packing,
)
from tamis.bench.spmm.rows import Row
from tamis.report import Cell, Table, duration, ratio, times, words

Line = list[str | Cell]


def by_sparsity(results: Sequence[CellResult]) -> Table:
    """Geometric mean, minimum and quartiles per (pattern, sparsity), against dense and against the best peer."""
    dense = grouped(results, _pattern_and_target, lambda result: result.vs_dense)
    peer = grouped(results, _pattern_and_target, lambda result: result.vs_peer)
    packed = grouped(results, _pattern_and_target, lambda result: result.vs_packed)
    winners = _peers_that_were_best(results)
    lines: list[Line] = []
    for key, spread in dense.items():
        against = peer.get(key)
        lines.append(
            [
                key[0],
                _percent(key[1]),
                str(spread.count),
                *(ratio(value) for value in (spread.geomean, spread.min, spread.q1, spread.q3)),
                ratio(packed[key].geomean) if key in packed else "–",
                *([times(against.geomean), times(against.min)] if against else ["–", "–"]),
                winners.get(key, "–"),
            ]
        )
    header = [
        "pattern",
        "sparsity",
        "cells",
        "geo. mean",
        "min",
        "q1",
        "q3",
        "vs packed",
        "vs best peer",
        "min",
        "mostly",
    ]
    return _table(
        header,
        lines,
        words_in=2,
        caption="Speed of tamis relative to dense PyTorch, to dense with packed weights (oneDNN), and to each cell's best peer.",
    )


def by_shape(results: Sequence[CellResult]) -> Table:
    """Speed relative to dense: a line per (m, k, n), a column per sparsity; unstructured, magnitude family."""
    chosen = [r for r in results if r.row.pattern == "unstructured" and r.row.family in ("magnitude", "file")]
    targets = sorted({r.row.target for r in chosen if r.row.target is not None})
    speeds = {((r.row.m, r.row.k, r.row.n), r.row.target): r.vs_dense for r in chosen}
    shapes = sorted({shape for shape, _ in speeds})
    lines: list[Line] = [
        [f"{m}×{k}", str(n), *(ratio(speeds.get(((m, k, n), target))) for target in targets)]
        for m, k, n in shapes
    ]
    return _table(["m×k", "n", *(_percent(target) for target in targets)], lines, words_in=1)


def crossover_table(found: Mapping[tuple[int, int, int], Crossover]) -> Table:
    """A line per shape, a column per n."""
    lengths = sorted({n for _, _, n in found})
    shapes = sorted({(m, k) for m, k, _ in found})
    lines: list[Line] = [
        [f"{m}×{k}", *(_crossover(found.get((m, k, n))) for n in lengths)] for m, k in shapes
    ]
    return _table(["m×k", *(f"n = {n}" for n in lengths)], lines)


def packing_table(results: Sequence[CellResult]) -> Table:
    """Median packing time and break-even per (pattern, sparsity)."""
    found = packing(results, _pattern_and_target)
    lines: list[Line] = [
        [
            pattern,
            _percent(target),
            duration(pack.pack_us),
            "–" if pack.breakeven_calls is None else f"{pack.breakeven_calls:.1f}",
            f"{100 * pack.never:.0f} %",
        ]
        for (pattern, target), pack in found.items()
    ]
    return _table(
        ["pattern", "sparsity", "pack (median)", "calls to break even", "cells that never do"],
        lines,
        words_in=2,
    )


def linear_table(results: Sequence[CellResult]) -> Table:
    """Time of ``linear`` over that of ``spmm`` per n."""
    found = grouped(results, lambda row: row.n, lambda result: result.linear_vs_spmm)
    lines: list[Line] = [
        [str(n), str(s.count), *(f"{value:.2f}" for value in (s.geomean, s.q1, s.q3))]
        for n, s in found.items()
    ]
    caption = (
        "Time of tamis.linear (row-major activations) over time of tamis.spmm; all patterns and sparsities."
    )
    return _table(["n", "cells", "geo. mean", "q1", "q3"], lines, words_in=0, caption=caption)


def decode_table(rows: Sequence[Row]) -> Table:
    """A line per cell, a column per contestant: time, and speed relative to dense."""
    others = ["dense_onednn", "mkl_csr", "numba_csr", "torch_csr", "scipy_csr"]
    names = ["dense", "tamis_spmm", "tamis_linear", "tamis_bf16", "tamis_int8", *others]
    cells: dict[tuple[str, int, str], dict[str, Row]] = {}
    for row in rows:
        if row.status == "ok":
            cells.setdefault((row.matrix, row.n, row.cache), {})[row.contestant] = row
    lines: list[Line] = []
    for (_, n, cache), cell in cells.items():
        any_row = next(iter(cell.values()))
        shared = cell.get("dense_mm") or cell.get("dense_linear")
        line: Line = [f"{any_row.m}×{any_row.k}", _percent(any_row.target), str(n), cache]
        line.append(duration(shared.dense_us) if shared else "–")
        line += [ratio(cell[name].speedup) if name in cell else "–" for name in names[1:]]
        lines.append(line)
    return _table(["m×k", "sparsity", "n", "cache", "dense", *names[1:]], lines, words_in=1)


def layers_table(results: Sequence[CellResult]) -> Table:
    """A line per layer and pruning."""
    lines: list[Line] = []
    for result in results:
        row = result.row
        lines.append(
            [
                row.matrix.split(".", 1)[-1].rsplit("_", 2)[0],
                f"{row.m}×{row.k}",
                row.pattern,
                _percent(row.target),
                f"{row.row_cov:.2f}",
                duration(row.dense_us),
                duration(row.median_us),
                ratio(result.vs_dense),
                "–" if result.vs_peer is None else times(result.vs_peer),
            ]
        )
    header = ["layer", "m×k", "pattern", "sparsity", "row CoV", "dense", "tamis", "vs dense", "vs best peer"]
    return _table(header, lines, words_in=3)


def lengths_table(results: Sequence[CellResult]) -> Table:
    """Per n: speed with a plan of its own, and what a plan for another n costs."""
    own = grouped([r for r in results if r.row.planned_n == r.row.n], lambda row: row.n, lambda r: r.vs_dense)
    lines: list[Line] = [
        [str(n), str(planned_n), ratio(own[n].geomean), f"{cost:.2f}"]
        for (n, planned_n), cost in foreign_plan_cost(results).items()
    ]
    caption = "Time with a plan made for another n, over the time with a plan made for this n (geometric mean; 1 = no loss)."
    return _table(
        ["n", "plan made for", "own plan vs dense", "time ratio"], lines, words_in=0, caption=caption
    )


def choice_table(regret: Sequence[float], errors: Sequence[float]) -> Table:
    """Time of the chosen kernel over the best one's, and predicted minus measured crossover."""
    spread = Spread.of(regret)
    lines: list[Line] = [
        ["time of the chosen over the best", str(spread.count), f"{spread.geomean:.3f}", f"{max(regret):.2f}"]
    ]
    if errors:
        mean, worst = sum(map(abs, errors)) / len(errors), max(map(abs, errors))
        lines.append(
            [
                "predicted less measured crossover, points",
                str(len(errors)),
                f"{100 * mean:.1f}",
                f"{100 * worst:.1f}",
            ]
        )
    return _table(["", "cells", "mean", "worst"], lines, words_in=1)


def not_timed_table(rows: Iterable[Row]) -> Table:
    """Who was refused, failed or could not take part, and why."""
    lines: list[Line] = [
        [name, status, note, str(count)] for (name, status, note), count in not_timed(rows).items()
    ]
    return _table(["contestant", "status", "reason", "cells"], lines, words_in=3, caption="Not timed.")


def details_table(rows: Iterable[Row]) -> Table:
    """How each contestant ran: block, and kernel or version, with the number of cells."""
    counts: dict[tuple[str, str, str], int] = {}
    for row in rows:
        if row.status == "ok":
            key = row.contestant, row.block, row.detail
            counts[key] = counts.get(key, 0) + 1
    lines: list[Line] = [
        [name, block, detail or "–", str(count)] for (name, block, detail), count in sorted(counts.items())
    ]
    return _table(["contestant", "time block", "what ran", "cells"], lines, words_in=3, caption="What ran.")


def _pattern_and_target(row: Row) -> tuple[str, float]:
    pattern = row.pattern if row.family in ("magnitude", "file") else f"{row.pattern}, {row.family}"
    return pattern, round(row.sparsity, 2) if row.target is None else row.target


def _peers_that_were_best(results: Iterable[CellResult]) -> dict[tuple[str, float], str]:
    wins: dict[tuple[str, float], dict[str, int]] = {}
    for result in results:
        if result.best_peer:
            of_key = wins.setdefault(_pattern_and_target(result.row), {})
            of_key[result.best_peer] = of_key.get(result.best_peer, 0) + 1
    return {key: max(sorted(of_key), key=lambda name: of_key[name]) for key, of_key in wins.items()}


def _table(
    header: Sequence[str], lines: Iterable[Sequence[str | Cell]], *, words_in: int = 1, caption: str = ""
) -> Table:
    """A table whose first ``words_in`` columns are words and the rest numbers."""
    columns = [words(name) if place < words_in else name for place, name in enumerate(header)]
    return Table(columns, lines, caption=caption)


def _crossover(found: Crossover | None) -> str:
    if found is None:
        return ""
    if found.sparsity is None:
        return "none"
    return f"{'≤ ' if found.at_most else ''}{100 * found.sparsity:.0f} %"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:g} %"

"""Arithmetic over rows: geometric means with their spread, crossovers, packing, lengths, trust. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite, log
from statistics import median, quantiles
from typing import TypeVar

from tamis.bench.spmm.rows import Row

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Spread:
    """A geometric mean with what it hides; all of the same unit as the values."""

    count: int
    geomean: float
    min: float
    q1: float
    median: float
    q3: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Summarise positive numbers; ValueError if there is none or one is not positive and finite."""
        numbers = sorted(values)
        if not numbers or not all(isfinite(number) and number > 0 for number in numbers):
            raise ValueError(f"Spread.of(values): expected positive finite numbers, got {numbers[:4]}.")
        q1, middle, q3 = quantiles(numbers, n=4, method="inclusive") if len(numbers) > 1 else numbers * 3
        geomean = exp(sum(map(log, numbers)) / len(numbers))
        return cls(len(numbers), geomean, numbers[0], q1, middle, q3)


@dataclass(frozen=True)
class CellResult:
    """What one cell came to.

    Attributes
    ----------
    row : Row
        Ours, in the layout of ``torch.mm``.
    vs_dense : float
        Speed relative to the faster dense layout.
    vs_peer : float or None
        Speed relative to the best peer, each relative to the dense time of its own block; None without a peer.
    best_peer : str
    vs_packed : float or None
        Speed relative to dense with packed weights; None where it was not timed.
    linear_vs_spmm : float or None
        Time of ``tamis.linear`` over time of ``tamis.spmm``.
    """

    row: Row
    vs_dense: float
    vs_peer: float | None
    best_peer: str
    vs_packed: float | None
    linear_vs_spmm: float | None


def cell_results(rows: Iterable[Row], roles: Mapping[str, str]) -> list[CellResult]:
    """Fold the rows of every cell into one result; cells without a timed product of ours are left out.

    Parameters
    ----------
    rows : iterable of Row
    roles : mapping of contestant name to "dense", "packed dense", "ours" or "peer"
    """
    cells: dict[Hashable, dict[str, Row]] = {}
    for row in rows:
        if row.status == "ok":
            cells.setdefault(row.cell_key, {})[row.contestant] = row
    return [result for cell in cells.values() if (result := _cell_result(cell, roles)) is not None]


def _cell_result(cell: Mapping[str, Row], roles: Mapping[str, str]) -> CellResult | None:
    ours = cell.get("tamis_spmm")
    if ours is None or ours.speedup is None or ours.median_us is None:
        return None
    peers = [row for name, row in cell.items() if roles.get(name) == "peer" and row.speedup]
    packed = [row for name, row in cell.items() if roles.get(name) == "packed dense" and row.speedup]
    best = max(peers, key=lambda row: row.speedup or 0.0, default=None)
    linear = cell.get("tamis_linear")
    return CellResult(
        row=ours,
        vs_dense=ours.speedup,
        vs_peer=ours.speedup / best.speedup if best and best.speedup else None,
        best_peer=best.contestant if best else "",
        vs_packed=ours.speedup / packed[0].speedup if packed and packed[0].speedup else None,
        linear_vs_spmm=linear.median_us / ours.median_us if linear and linear.median_us else None,
    )


_PATTERN_ORDER = ("unstructured", "4x1", "8x1", "16x1", "16x16", "2:4")


def pattern_rank(pattern: str) -> tuple[int, str]:
    """Sort key that puts patterns in the house's order, others after them by name."""
    known = pattern in _PATTERN_ORDER
    return (_PATTERN_ORDER.index(pattern), "") if known else (len(_PATTERN_ORDER), pattern)


def grouped(
    results: Iterable[CellResult], key: Callable[[Row], Key], value: Callable[[CellResult], float | None]
) -> dict[Key, Spread]:
    """Summarise ``value`` over the cells of each ``key``, in sorted order of keys; cells without a value do not count."""
    groups: dict[Key, list[float]] = {}
    for result in results:
        number = value(result)
        if number is not None:
            groups.setdefault(key(result.row), []).append(number)
    return {name: Spread.of(groups[name]) for name in sorted(groups, key=_sortable)}


def _sortable(key: Hashable) -> tuple[tuple[float, str], ...]:
    parts = key if isinstance(key, tuple) else (key,)
    return tuple((part, "") if isinstance(part, int | float) else pattern_rank(str(part)) for part in parts)


@dataclass(frozen=True)
class Crossover:
    """The sparsity from which sparse stays faster than dense, for one (m, k, n).

    Attributes
    ----------
    sparsity : float or None
        Interpolated between the neighbouring measured sparsities on a logarithmic scale of speed; the lowest one
        measured if sparse is faster everywhere; None if sparse is slower at the highest one measured.
    at_most : bool
        Whether ``sparsity`` is only an upper bound (sparse was faster everywhere).
    """

    sparsity: float | None
    at_most: bool = False


def crossover(points: Iterable[tuple[float, float]]) -> Crossover:
    """Find the crossover of (sparsity, speed relative to dense) points, in any order."""
    ordered = sorted(points)
    if not ordered:
        return Crossover(None)
    slower = [index for index, (_, speed) in enumerate(ordered) if speed < 1]
    if not slower:
        return Crossover(ordered[0][0], at_most=True)
    last = slower[-1]
    if last == len(ordered) - 1:
        return Crossover(None)
    (low, slow), (high, fast) = ordered[last], ordered[last + 1]
    return Crossover(low + (high - low) * -log(slow) / (log(fast) - log(slow)))


def crossovers(results: Iterable[CellResult]) -> dict[tuple[int, int, int], Crossover]:
    """Crossover of every (m, k, n) that has at least two sparsities among ``results``."""
    points: dict[tuple[int, int, int], list[tuple[float, float]]] = {}
    for result in results:
        row = result.row
        points.setdefault((row.m, row.k, row.n), []).append((row.sparsity, result.vs_dense))
    return {shape: crossover(found) for shape, found in sorted(points.items()) if len(found) > 1}


def foreign_plan_cost(results: Iterable[CellResult]) -> dict[tuple[int, int], float]:
    """By (n, planned_n): geometric mean of the time with a plan for planned_n over the time with a plan for n."""
    speeds: dict[tuple[str, int], dict[int, float]] = {}
    for result in results:
        row = result.row
        speeds.setdefault((row.matrix, row.n), {})[row.planned_n or row.n] = result.vs_dense
    costs: dict[tuple[int, int], list[float]] = {}
    for (_, n), by_plan in speeds.items():
        for planned_n, speed in by_plan.items():
            if planned_n != n and n in by_plan:
                costs.setdefault((n, planned_n), []).append(by_plan[n] / speed)
    return {lengths: Spread.of(values).geomean for lengths, values in sorted(costs.items())}


def regrets(rows: Iterable[Row], roles: Mapping[str, str]) -> list[float]:
    """Time of the chosen kernel over that of the best, per cell of the section "choice".

    The best is found in the first pass and both are read off the second, "choice again", so that no kernel is best by luck.
    """
    times: dict[tuple[str, int, int, str], dict[str, float]] = {}
    chosen: dict[tuple[str, int, int], str] = {}
    for row in rows:
        if not row.section.startswith("choice") or row.median_us is None:
            continue
        cell = row.matrix, row.n, row.threads
        if roles.get(row.contestant) == "ours on one kernel":
            times.setdefault((*cell, row.section), {})[row.detail.split(":")[0]] = row.median_us
        elif row.contestant == "tamis_spmm":
            chosen[cell] = row.detail.split(":")[0]
    found = []
    for cell, kernel in chosen.items():
        first, second = times.get((*cell, "choice")), times.get((*cell, "choice again"))
        if first and second and kernel in second:
            best = min(first, key=lambda name: first[name])
            found.append(second[kernel] / second[best])
    return found


def crossover_errors(results: Iterable[CellResult]) -> list[float]:
    """Predicted minus measured crossover sparsity of every (m, k, n) in which one was measured between two points."""
    results = list(results)
    predicted = {(r.row.m, r.row.k, r.row.n): r.row.predicted_crossover for r in results}
    errors = []
    for shape, found in crossovers(results).items():
        expected = predicted.get(shape)
        if found.sparsity is not None and not found.at_most and expected is not None:
            errors.append(expected - found.sparsity)
    return errors


@dataclass(frozen=True)
class Packing:
    """Packing in a group of cells: medians, and the share of cells in which it never pays."""

    pack_us: float
    breakeven_calls: float | None
    never: float


def packing(results: Iterable[CellResult], key: Callable[[Row], Key]) -> dict[Key, Packing]:
    """Median packing time and break-even calls per group; the latter over the cells in which packing pays."""
    groups: dict[Key, list[Row]] = {}
    for result in results:
        if result.row.pack_us is not None and result.row.breakeven_calls is not None:
            groups.setdefault(key(result.row), []).append(result.row)
    return {name: _packing(groups[name]) for name in sorted(groups, key=_sortable)}


def _packing(rows: Sequence[Row]) -> Packing:
    paying = [
        row.breakeven_calls
        for row in rows
        if row.breakeven_calls is not None and isfinite(row.breakeven_calls)
    ]
    return Packing(
        pack_us=median(row.pack_us for row in rows if row.pack_us is not None),
        breakeven_calls=median(paying) if paying else None,
        never=1 - len(paying) / len(rows),
    )


def losses(results: Iterable[CellResult], from_sparsity: float) -> list[CellResult]:
    """Cells at ``from_sparsity`` or above in which dense was faster, worst first."""
    slower = [r for r in results if r.row.sparsity >= from_sparsity - 0.005 and r.vs_dense < 1]
    return sorted(slower, key=lambda result: result.vs_dense)


@dataclass(frozen=True)
class Trust:
    """How disturbed a run was: median spread of timed rows, and the share of rows in which threads waited 30 % of the time."""

    rows: int
    spread: float
    disturbed: float


def trust(rows: Iterable[Row]) -> Trust | None:
    """Summarise spread and dirt of the timed rows; None without any."""
    timed = [row for row in rows if row.spread is not None and row.waiting is not None]
    if not timed:
        return None
    disturbed = sum((row.waiting or 0) > 0.3 for row in timed) / len(timed)
    return Trust(len(timed), median(row.spread for row in timed if row.spread is not None), disturbed)


def not_timed(rows: Iterable[Row]) -> dict[tuple[str, str, str], int]:
    """Count the rows without a time by (contestant, status, note)."""
    counts: dict[tuple[str, str, str], int] = {}
    for row in rows:
        if row.status != "ok":
            key = row.contestant, row.status, row.note
            counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items()))

"""From measured cells to the prices of the cost model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tamis.tuning.machines import Prices, Work


@dataclass(frozen=True)
class Cell:
    """One measurement of a kernel on one thread: the work it did and the time it took."""

    work: Work
    time_ns: float


def fit_prices(cells: Sequence[Cell], call_ns: float) -> Prices:
    """Find the non-negative prices whose relative errors over the cells have the least sum of squares.

    Relative, since a chooser that is 10 % off is as wrong for a small matrix as for a large one.
    """
    times = np.array([cell.time_ns for cell in cells])
    kinds = list(cells[0].work.amounts)
    amounts = np.array([[cell.work.amounts[kind] for kind in kinds] for cell in cells])
    prices = nonnegative_least_squares(amounts / times[:, None], 1 - call_ns / times)
    return dict(zip(kinds, prices, strict=True))


def nonnegative_least_squares(design: np.ndarray, target: np.ndarray) -> list[float]:
    """Minimise ``|design @ x - target|`` over x >= 0 for a handful of unknowns: the best of all active sets."""
    unknowns = design.shape[1]
    best, best_error = np.zeros(unknowns), float(target @ target)
    for chosen in range(1, 2**unknowns):
        active = [i for i in range(unknowns) if chosen >> i & 1]
        solution, *_ = np.linalg.lstsq(design[:, active], target, rcond=None)
        residual = target - design[:, active] @ solution
        if (solution >= 0).all() and residual @ residual < best_error:
            best, best_error = np.zeros(unknowns), float(residual @ residual)
            best[active] = solution
    return [float(price) for price in best]

"""Each layer as sparse as it tolerates: choosing a pattern and sparsity per layer under one limit for the whole model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tamis.tour.rows import Configuration

STEPS = 16
CHEAPEST, DEAREST = 1e-2, 1e8  # milliseconds that one unit of lost cosine may cost


@dataclass(frozen=True)
class Option:
    """One layer pruned in one way while all others stay dense.

    Attributes
    ----------
    configuration : Configuration
    saved_ms : float
        Measured time that the sparse layer saves in a forward pass.
    lost : float
        1 - mean cosine on the calibration sentences.
    """

    configuration: Configuration
    saved_ms: float
    lost: float


Choice = dict[str, Option]


def best_at(options: Mapping[str, Sequence[Option]], price_ms: float) -> Choice:
    """Give every layer the option that saves most after paying ``price_ms`` per unit of lost cosine, or none."""
    chosen = {}
    for layer, ways in options.items():
        best = max(ways, key=lambda way: way.saved_ms - price_ms * way.lost, default=None)
        if best is not None and best.saved_ms > price_ms * best.lost:
            chosen[layer] = best
    return chosen


def mix(options: Mapping[str, Sequence[Option]], cosine: Callable[[Choice], float], aim: float) -> Choice:
    """Find the mixture that saves most time and keeps the aimed cosine.

    Losses of single layers do not simply add up, so every mixture on the way is evaluated as a whole. The price of lost
    cosine is bisected on a logarithmic scale: the Lagrangian form of a knapsack.

    Parameters
    ----------
    options : mapping
        Layer -> what could be done with it. Options that save no time are never taken.
    cosine : callable
        Choice -> mean cosine of the whole model pruned that way.
    aim : float

    Returns
    -------
    dict
        Layer -> option; layers that stay dense are absent. Empty if nothing useful keeps the aim.
    """
    low, high, found = CHEAPEST, DEAREST, Choice()
    for _ in range(STEPS):
        price = (low * high) ** 0.5
        choice = best_at(options, price)
        if choice and cosine(choice) < aim:
            low = price
        else:
            high, found = price, choice or found
    return found

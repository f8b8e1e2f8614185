"""What each stream adds to an answer: Shapley values over the streams, exact because there are few.

References
----------
[1] Shapley. A value for n-person games. Contributions to the Theory of Games II, 1953.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import factorial


def shapley(streams: Sequence[str], value: Callable[[frozenset[str]], float]) -> dict[str, float]:
    """Share of each stream in ``value(all streams) - value(no stream)``.

    Parameters
    ----------
    streams : sequence of str
    value : callable
        Worth of using a set of streams and no other; called once per subset, 2 to the number of streams in all.

    Returns
    -------
    dict of stream to float
        They sum to ``value(all) - value(none)``; negative where a stream speaks against the answer.
    """
    everyone = frozenset(streams)
    worth = {
        frozenset(group): value(frozenset(group))
        for size in range(len(everyone) + 1)
        for group in combinations(sorted(everyone), size)
    }
    total = factorial(len(everyone))
    shares = dict.fromkeys(streams, 0.0)
    for group, before in worth.items():
        weight = factorial(len(group)) * factorial(len(everyone) - len(group) - 1) if group != everyone else 0
        for stream in everyone - group:
            shares[stream] += weight / total * (worth[group | {stream}] - before)
    return shares

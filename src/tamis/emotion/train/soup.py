"""Model soup: several runs of the meta-classifier averaged into one.

References
----------
[1] Wortsman et al. Model soups: averaging weights of multiple fine-tuned models. ICML 2022.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]


def uniform_soup(runs: Sequence[Weights]) -> dict[str, Tensor]:
    """The mean of all runs' weights."""
    if not runs:
        raise ValueError("uniform_soup: no run to average.")
    return {
        name: torch.stack([run[name].double() for run in runs]).mean(dim=0).to(runs[0][name])
        for name in runs[0]
    }


def greedy_soup(
    runs: Sequence[Weights], score: Callable[[Weights], float]
) -> tuple[dict[str, Tensor], list[int]]:
    """Begin with the best run; add every other, best first, that does not make the soup's held-out ``score`` worse.

    Returns the weights, and which runs are in them.
    """
    if not runs:
        raise ValueError("greedy_soup: no run to average.")
    order = sorted(range(len(runs)), key=lambda i: score(runs[i]), reverse=True)
    chosen, best = [order[0]], score(runs[order[0]])
    for i in order[1:]:
        tried = score(uniform_soup([runs[j] for j in (*chosen, i)]))
        if tried >= best:
            chosen, best = [*chosen, i], tried
    return uniform_soup([runs[j] for j in chosen]), chosen

"""Matrices on which every SpMM kernel is compared with the reference: the odd ones, and shapes of real layers."""

from collections.abc import Callable

import torch
from torch import Tensor


def random(m: int, k: int, density: float, *, rows_alike: int = 1, seed: int = 0) -> Tensor:
    """A dense (m, k) float64 tensor with zeros; ``rows_alike`` neighbouring rows share their pattern."""
    generator = torch.Generator().manual_seed(seed + m + k)
    mask = torch.rand(-(-m // rows_alike), k, generator=generator) < density
    mask = mask.repeat_interleave(rows_alike, 0)[:m]
    return torch.randn(m, k, generator=generator, dtype=torch.float64) * mask


def one_dense_row(m: int, k: int) -> Tensor:
    w = random(m, k, 0.05)
    w[m // 2] = 1.5
    return w


def empty_rows(m: int, k: int) -> Tensor:
    w = random(m, k, 0.3)
    w[:4] = 0
    w[m // 2 : m // 2 + 5] = 0
    return w


# Row counts are multiples of 16 so that every format with blocks can hold every matrix; others are in ODD.
SHAPED: dict[str, Callable[[], Tensor]] = {
    "small": lambda: random(16, 24, 0.5),
    "all zero": lambda: torch.zeros(32, 40, dtype=torch.float64),
    "full": lambda: random(32, 64, 1.0),
    "one dense row": lambda: one_dense_row(48, 264),
    "empty rows": lambda: empty_rows(48, 200),
    "one column": lambda: random(64, 8, 0.5),
    "several blocks of K": lambda: random(64, 1000, 0.4),
    "hidden of MiniLM": lambda: random(384, 384, 0.2),
    "very sparse": lambda: random(1040, 520, 0.01),
    "vectors": lambda: random(256, 320, 0.3, rows_alike=16),
}
ODD: dict[str, Callable[[], Tensor]] = {
    "one by one": lambda: random(1, 1, 1.0),
    "one row": lambda: random(1, 777, 0.3),
    "odd rows": lambda: random(37, 53, 0.4),
    "no rows": lambda: torch.zeros(0, 16, dtype=torch.float64),
    "no columns": lambda: torch.zeros(16, 0, dtype=torch.float64),
}
COLUMNS = (1, 2, 7, 8, 16, 24, 31, 64, 65, 100, 250)

"""Which sets of weights live and die together, and which of them to keep.

A pattern cuts a weight matrix into *units*: single weights, blocks, or the members of an N:M group. A score
gives every unit a number, and the units with the highest numbers stay (``selection.py``).

A mask is a plain bool tensor of the weight's shape: True stays, False becomes zero.
"""

import re
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Blocks:
    """Blocks of ``rows`` × ``cols`` weights; 1 × 1 is unstructured, V × 1 are column vectors."""

    rows: int
    cols: int

    def __str__(self) -> str:
        return "unstructured" if self == Blocks(1, 1) else f"{self.rows}x{self.cols}"


@dataclass(frozen=True)
class NOfM:
    """At most ``n`` nonzeros in every ``m`` neighbours of a row, so the sparsity is always 1 - n/m."""

    n: int
    m: int

    @property
    def sparsity(self) -> float:
        return 1 - self.n / self.m

    def __str__(self) -> str:
        return f"{self.n}:{self.m}"


Pattern = Blocks | NOfM


def parse_pattern(name: str) -> Pattern:
    """Read a pattern's name: "unstructured", "4x1" (rows x columns of a block) or "2:4" (N:M).

    Raises
    ------
    ValueError   if the name is none of these, or its numbers make no pattern.
    TypeError    if it is no string.
    """
    if not isinstance(name, str):
        raise TypeError(f"pattern={name!r}: expected a name such as 'unstructured', '4x1' or '2:4'.")
    if name == "unstructured":
        return Blocks(1, 1)
    if match := re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", name):
        return Blocks(int(match[1]), int(match[2]))
    if (match := re.fullmatch(r"([1-9]\d?):([1-9]\d?)", name)) and int(match[1]) < int(match[2]):
        return NOfM(int(match[1]), int(match[2]))
    raise ValueError(
        f"pattern={name!r}: expected 'unstructured', a block such as '4x1' or '32x32' (rows x columns), "
        "or N:M with N < M such as '2:4'."
    )


def misfit(shape: tuple[int, int], pattern: Pattern) -> str | None:
    """Say why a weight of this shape cannot be cut into the pattern's units; None if it can."""
    rows, cols = (pattern.rows, pattern.cols) if isinstance(pattern, Blocks) else (1, pattern.m)
    for size, unit, what in ((shape[0], rows, "rows"), (shape[1], cols, "columns")):
        if size % unit:
            return f"{size} {what} do not divide into {pattern}"
    return None


def unit_scores(score: Tensor, pattern: Pattern) -> Tensor:
    """Sum a score over every unit: (m, k) -> (m / rows, k / cols) for blocks, (m * k / M, M) for N:M."""
    if isinstance(pattern, NOfM):
        return score.reshape(-1, pattern.m)
    m, k = score.shape
    return score.reshape(m // pattern.rows, pattern.rows, k // pattern.cols, pattern.cols).sum((1, 3))


def spread(keep: Tensor, pattern: Pattern, shape: tuple[int, int]) -> Tensor:
    """Turn the decision per unit into a mask per weight: the inverse of :func:`unit_scores`."""
    if isinstance(pattern, NOfM):
        return keep.reshape(shape)
    return keep.repeat_interleave(pattern.rows, 0).repeat_interleave(pattern.cols, 1)

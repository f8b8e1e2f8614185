"""Weight matrices like those of the Deep Learning Matrix Collection, made from seeds.

DLMC [1] holds the masks of pruned transformers and ResNets. Its files may not be shipped, and pruning plain Gaussian weights
gives rows that are too even, so weights get lognormal row and column scales before the smallest are set to zero. One seed gives
one weight matrix per shape; its sparsities are nested, as when one trained layer is pruned ever further.

The masks are cut here, and not by :mod:`tamis.pruning`, so that a seed means the same matrix in every version.

References
----------
[1] Gale, Zaharia, Young, Elsen. Sparse GPU Kernels for Deep Learning. SC 2020.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Family = Literal["magnitude", "variational"]

SHAPES = ((512, 512), (2048, 512), (512, 2048), (1024, 1024))
SPARSITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
PATTERNS = ("unstructured", "4x1", "8x1", "16x1", "16x16", "2:4")

_SCALE_SIGMA = {"magnitude": 0.3, "variational": 0.6}
_DEAD_SHARE = {"magnitude": 0.0, "variational": 0.1}


@dataclass(frozen=True)
class Spec:
    """Everything that determines one generated matrix.

    Attributes
    ----------
    m, k : int
        Rows and columns.
    sparsity : float
        Share of zeros aimed at, in [0, 1); blocks and N:M groups round it.
    pattern : str
        "unstructured", "RxC" (blocks such as "4x1", "16x16") or "N:M".
    family : {"magnitude", "variational"}
        "magnitude": scales with sigma 0.3, every row alive. "variational": sigma 0.6, and a tenth of the rows and of the
        columns are dead, as l0 regularisation and variational dropout leave them.
    seed : int
    """

    m: int
    k: int
    sparsity: float
    pattern: str = "unstructured"
    family: Family = "magnitude"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.m < 1 or self.k < 1 or not 0 <= self.sparsity < 1 or self.family not in _SCALE_SIGMA:
            raise ValueError(
                f"{self}: expected m, k >= 1, 0 <= sparsity < 1 and family in {list(_SCALE_SIGMA)}."
            )
        rows, cols = unit_shape(self.pattern)
        if self.m % rows or self.k % cols:
            raise ValueError(f"{self}: {self.m} x {self.k} does not divide into units of {rows} x {cols}.")
        if ":" in self.pattern:
            n, m = map(int, self.pattern.split(":"))
            if abs(1 - n / m - self.sparsity) > 1e-9:
                raise ValueError(
                    f"{self}: pattern {self.pattern} has sparsity {1 - n / m}, got {self.sparsity}."
                )

    @property
    def name(self) -> str:
        """File-safe name, unique per spec."""
        pattern = self.pattern.replace(":", "of")
        return f"{self.m}x{self.k}_{pattern}_{self.family}_{self.sparsity:g}_s{self.seed}"


def unit_shape(pattern: str) -> tuple[int, int]:
    """Rows and columns of what lives and dies together: (1, 1), the block, or the (1, m) group of N:M."""
    if pattern == "unstructured":
        return 1, 1
    if match := re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", pattern):
        return int(match[1]), int(match[2])
    if (match := re.fullmatch(r"([1-9]\d?):([1-9]\d?)", pattern)) and int(match[1]) < int(match[2]):
        return 1, int(match[2])
    raise ValueError(
        f"pattern={pattern!r}: expected 'unstructured', a block such as '4x1', or N:M such as '2:4'."
    )


def generate(spec: Spec) -> Tensor:
    """Make the matrix of ``spec``: float32, shape (m, k), absent entries exactly 0. The same on every call and machine."""
    return cut(weights(spec), spec.sparsity, spec.pattern)


def weights(spec: Spec) -> Tensor:
    """Gaussian weights with lognormal row and column scales, before pruning; float32, shape (m, k)."""
    generator = torch.Generator().manual_seed(_generator_seed(spec))
    sigma, dead = _SCALE_SIGMA[spec.family], _DEAD_SHARE[spec.family]
    weight = torch.randn(spec.m, spec.k, generator=generator)
    weight *= torch.exp(sigma * torch.randn(spec.m, 1, generator=generator))
    weight *= torch.exp(sigma * torch.randn(1, spec.k, generator=generator))
    rows, _ = unit_shape(spec.pattern)
    weight *= _alive(spec.m, rows, dead, generator)[:, None]
    return weight * _alive(spec.k, 1, dead, generator)


def cut(weight: Tensor, sparsity: float, pattern: str) -> Tensor:
    """Set the units of smallest total magnitude to zero, over the whole matrix (N:M: within each group).

    Parameters
    ----------
    weight : Tensor, shape (m, k), floating
    sparsity : float
        Share of units to remove; ignored for N:M, whose sparsity is in the name.
    pattern : str
        See :class:`Spec`. The shape must divide into its units.

    Returns
    -------
    Tensor, same shape and dtype; kept weights unchanged, bit by bit.
    """
    rows, cols = unit_shape(pattern)
    m, k = weight.shape
    if m % rows or k % cols:
        raise ValueError(
            f"cut(weight, {sparsity}, {pattern!r}): {m} x {k} does not divide into {rows} x {cols}."
        )
    magnitude = weight.abs()
    if ":" in pattern:
        kept = int(pattern.split(":")[0])
        best = magnitude.reshape(-1, cols).topk(kept, dim=1).indices
        keep = torch.zeros(m * k // cols, cols, dtype=torch.bool).scatter_(1, best, True).reshape(m, k)
    else:
        units = magnitude.reshape(m // rows, rows, k // cols, cols).sum((1, 3))
        keep = _largest(units, round(units.numel() * (1 - sparsity)))
        keep = keep.repeat_interleave(rows, 0).repeat_interleave(cols, 1)
    return torch.where(keep, weight, torch.zeros((), dtype=weight.dtype))


def _generator_seed(spec: Spec) -> int:
    # torch's generator looks at the low 32 bits only, so the three numbers are mixed into them.
    digest = hashlib.sha256(f"{spec.seed} {spec.m} {spec.k}".encode()).digest()
    return int.from_bytes(digest[:4], "little")


def _largest(units: Tensor, count: int) -> Tensor:
    """Mark the ``count`` largest entries; ties at the threshold fall in memory order, so that the count is exact."""
    flat = units.flatten()
    if count == 0:
        return torch.zeros_like(units, dtype=torch.bool)
    threshold = flat.kthvalue(flat.numel() - count + 1).values
    above, tied = flat > threshold, flat == threshold
    room = count - above.sum()
    return (above | (tied & (tied.cumsum(0) <= room))).reshape(units.shape)


def _alive(size: int, unit: int, dead_share: float, generator: torch.Generator) -> Tensor:
    """1.0 for living indices, 0.0 for dead ones, dying in runs of ``unit``; always drawn, so that families share a seed."""
    order = torch.randperm(size // unit, generator=generator)
    alive = torch.ones(size // unit)
    alive[order[: int(dead_share * (size // unit))]] = 0.0
    return alive.repeat_interleave(unit)

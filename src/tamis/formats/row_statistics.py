"""How evenly a matrix spreads its stored values over its rows."""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor


@dataclass(frozen=True)
class RowStatistics:
    """Stored values per row.

    Attributes
    ----------
    min, max : int
        Fewest and most stored values in a row.
    mean : float
        Stored values divided by rows.
    cov : float
        Coefficient of variation: population standard deviation divided by mean (0 when the mean is 0).
    empty : int
        Rows without a stored value.
    """

    min: int
    mean: float
    max: int
    cov: float
    empty: int

    @classmethod
    def from_lengths(cls, lengths: Tensor, rows_each: int = 1) -> "RowStatistics":
        """Compute the statistics of rows with these ``lengths``, each of which stands for ``rows_each`` rows."""
        if lengths.numel() == 0:
            return cls(min=0, mean=0.0, max=0, cov=0.0, empty=0)
        low, high = lengths.aminmax()
        exact = lengths.double()
        mean, variance = exact.mean(), exact.var(correction=0)
        empty = (lengths == 0).sum()
        low, mean, high, variance, empty = torch.stack(
            [low.double(), mean, high.double(), variance, empty.double()]
        ).tolist()
        return cls(int(low), mean, int(high), sqrt(variance) / mean if mean else 0.0, int(empty) * rows_each)

    def __str__(self) -> str:
        return (
            f"per row {self.min} / {self.mean:.1f} / {self.max} (min / mean / max), "
            f"CoV {self.cov:.2f}, {self.empty:,} empty"
        )

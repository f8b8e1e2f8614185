"""Manifold MixUp: a batch is blended with a permutation of itself, one λ per utterance, wherever that utterance appears."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Beta


@dataclass(frozen=True)
class Mixing:
    """Which utterance each one is blended with, and how much of itself it keeps.

    Attributes
    ----------
    keep : Tensor, shape (B,)
        λ, in 0..1.
    partner : Tensor, shape (B,), int64
    """

    keep: Tensor
    partner: Tensor

    def blend(self, x: Tensor) -> Tensor:
        """λ x + (1 - λ) x[partner], for x of shape (B, …): representations, soft targets and attributes alike."""
        keep = self.keep.to(x).view(-1, *[1] * (x.dim() - 1))
        return keep * x + (1 - keep) * x[self.partner]


def draw_mixing(batch_size: int, probability: float, alpha: float, device: torch.device) -> Mixing | None:
    """Draw from torch's global generator: with ``probability`` a mixing with λ ~ Beta(alpha, alpha), else None."""
    if torch.rand(()) >= probability:
        return None
    keep = Beta(alpha, alpha).sample((batch_size,))
    return Mixing(keep.to(device), torch.randperm(batch_size).to(device))

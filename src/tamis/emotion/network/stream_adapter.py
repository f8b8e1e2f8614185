"""The adapter before a branch: dimensions are brought to one scale, layers mixed by learned weights."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class StreamAdapter(nn.Module):
    """Standardises frames, then mixes their layers (softmax over one learned number per layer).

    Parameters
    ----------
    dim : int
    layers : int or None
        None where frames hold a single vector.
    standardise : bool
        Subtract ``mean`` and divide by ``deviation``; :meth:`measure` sets both from training frames, until then they
        change nothing.
    dropout : float
        Share of the numbers that training sets to zero.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, dim: int, layers: int | None, standardise: bool, dropout: float = 0.0) -> None:
        super().__init__()
        shape = (dim,) if layers is None else (layers, dim)
        self.standardise, self.dropout = standardise, dropout
        self.mixture = nn.Parameter(torch.zeros(layers)) if layers is not None else None
        if standardise:
            self.register_buffer("mean", torch.zeros(shape))
            self.register_buffer("deviation", torch.ones(shape))

    def measure(self, frames: Tensor) -> None:
        """Take mean and deviation of real training frames, shape (N, dim) or (N, layers, dim)."""
        if self.standardise:
            self.mean.copy_(frames.mean(dim=0))
            self.deviation.copy_(frames.std(dim=0, correction=0).clamp(min=1e-5))

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """frames (B, T, dim) or (B, T, layers, dim), mask (B, T) bool; returns (B, T, dim), zero where padded."""
        if self.standardise:
            frames = (frames - self.mean) / self.deviation
        if self.mixture is not None:
            frames = torch.einsum("btld,l->btd", frames, self.mixture.softmax(dim=0))
        return F.dropout(frames, self.dropout, self.training) * mask[..., None].to(frames.dtype)

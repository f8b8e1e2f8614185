"""A branch of DeepSER (paper, algorithm 1): one stream's frames in, three depths of representation out."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BranchOutput(NamedTuple):
    """What a branch gives to the fusion: after its first layer, after its second, and the second averaged over time."""

    first: Tensor
    second: Tensor
    pooled: Tensor


class EncoderLayer(nn.Module):
    """Post-norm transformer encoder layer, the arithmetic of :class:`torch.nn.TransformerEncoderLayer`.

    Its projections are plain linear layers, so that pruning and ``sparsify`` find them.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"EncoderLayer: width {width} is not a multiple of heads {heads}.")
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.norm_attention, self.norm_hidden = nn.LayerNorm(width), nn.LayerNorm(width)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, D), mask (B, T) bool with True = real frame, at least one per row; returns (B, T, D)."""
        x = self.norm_attention(x + self._drop(self._attend(x, mask)))
        hidden = self._drop(F.relu(self.expand(x)))
        normed: Tensor = self.norm_hidden(x + self._drop(self.contract(hidden)))
        return normed

    def _attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        keys = None if mask is None else mask[:, None, None, :]
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=keys, dropout_p=dropout)
        mixed: Tensor = self.out(attended.transpose(1, 2).reshape(batch, length, width))
        return mixed

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class Branch(nn.Module):
    """Input MLP, two encoder layers, mean over time.

    Parameters
    ----------
    dim : int
        Width of the incoming frames.
    width, heads, hidden : int
        Model width D, attention heads, feed-forward width.
    dropout : float
    positions : bool
        Add sinusoidal positions after the MLP. (The paper has none.)
    """

    def __init__(
        self, dim: int, width: int, heads: int, hidden: int, dropout: float, positions: bool
    ) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Linear(dim, width), nn.ReLU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(EncoderLayer(width, heads, hidden, dropout) for _ in range(2))
        self.positions = positions

    def forward(self, x: Tensor, mask: Tensor | None) -> BranchOutput:
        """x (B, T, dim), mask (B, T) bool or None (every frame counts, padding too, as published).

        A row without any real frame (a missing stream) gives zeros at every depth.
        """
        x = self.enter(x)
        if self.positions:
            x = x + sinusoids(x.shape[1], x.shape[2]).to(x)
        if mask is None:
            first = self.layers[0](x)
            second = self.layers[1](first)
            return BranchOutput(first, second, second.mean(dim=1))
        attendable = mask | ~mask.any(dim=1, keepdim=True)
        real = mask[..., None].to(x.dtype)
        first = self.layers[0](x, attendable) * real
        second = self.layers[1](first, attendable) * real
        return BranchOutput(first, second, second.sum(dim=1) / real.sum(dim=1).clamp(min=1))


def sinusoids(length: int, width: int) -> Tensor:
    """Sinusoidal positions (length, width) of "Attention is all you need", sines first, cosines second."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]

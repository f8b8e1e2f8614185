"""The challenge's baseline, re-implemented on cached features: attentive statistics pooling [2], one hidden layer.

The organisers fine-tune WavLM-large under this head [1]; here the encoder is frozen, as it is for the members, so that the
two can be compared side by side.

References
----------
[1] Naini et al. The Interspeech 2025 challenge on speech emotion recognition in naturalistic conditions. Interspeech 2025.
[2] Okabe, Koshinaka, Shinoda. Attentive statistics pooling for deep speaker embedding. Interspeech 2018.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tamis.emotion.network.deepser import Prediction
from tamis.emotion.network.stream_adapter import StreamAdapter

WIDTH, DROPOUT = 1024, 0.5


class AttentiveStatistics(nn.Module):
    """Mean and deviation over time, each frame weighted by a learned attention; (B, T, D) -> (B, 2 D)."""

    def __init__(self, dim: int, hidden: int = 128) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """mask (B, T) bool, True = real; a row without any gives its padding's statistics, which are zero."""
        attendable = mask | ~mask.any(dim=1, keepdim=True)
        attention = self.score(x).masked_fill(~attendable[..., None], -torch.inf).softmax(dim=1)
        mean = (attention * x).sum(dim=1)
        variance = (attention * (x - mean[:, None]).square()).sum(dim=1)
        return torch.cat([mean, variance.clamp(min=1e-6).sqrt()], dim=1)


class Baseline(nn.Module):
    """One stream, attentive statistics, one hidden layer, categories; it predicts no attributes (NaN)."""

    def __init__(self, stream: str, dim: int, layers: int | None, categories: int) -> None:
        super().__init__()
        self.stream = stream
        self.inputs = nn.ModuleDict({stream: StreamAdapter(dim, layers, standardise=True)})
        self.pool = AttentiveStatistics(dim)
        self.head = nn.Sequential(
            nn.Linear(2 * dim, WIDTH), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(WIDTH, categories)
        )

    def forward(self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> Prediction:
        mask = masks[self.stream]
        logits = self.head(self.pool(self.inputs[self.stream](features[self.stream], mask), mask))
        return Prediction(logits, logits.new_full((len(logits), 3), torch.nan))

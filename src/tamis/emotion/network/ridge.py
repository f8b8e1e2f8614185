"""A member without depth: streams averaged over time, and ridge regression to the soft labels, solved exactly.

On a corpus of few speakers nothing generalises better, and its mistakes are others than a deep member's.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from tamis.emotion.corpora import ATTRIBUTE_RANGE, ATTRIBUTES
from tamis.emotion.data import Batch
from tamis.emotion.network.deepser import Prediction
from tamis.emotion.network.mixup import Mixing
from tamis.emotion.network.stream_adapter import StreamAdapter

SHARPNESS = 8.0
"""Logits per unit of regressed probability. The weights of the vote, or the temperature, have the last word on it."""
EDGE = 0.02
"""Ratings are kept this far (of their range) from its ends before their logit is taken."""


class RidgeSER(nn.Module):
    """Linear counterpart of :class:`~tamis.emotion.network.deepser.DeepSER`, called in the same way.

    Parameters
    ----------
    streams : mapping of str to (dim, layers)
        As for DeepSER.
    categories : int
        Number of output categories C.
    """

    def __init__(self, streams: Mapping[str, tuple[int, int | None]], categories: int) -> None:
        super().__init__()
        if not streams:
            raise ValueError("RidgeSER: a member needs at least one stream.")
        self.inputs = nn.ModuleDict(
            {name: StreamAdapter(dim, layers, standardise=True) for name, (dim, layers) in streams.items()}
        )
        width = sum(dim for dim, _ in streams.values())
        self.to_categories = nn.Linear(width, categories)
        self.to_attributes = nn.Linear(width, len(ATTRIBUTES))

    def forward(
        self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor], mixing: Mixing | None = None
    ) -> Prediction:
        """Predict a batch: frames, masks and mixing as for DeepSER."""
        x = self.means(features, masks)
        if mixing is not None:
            x = mixing.blend(x)
        low, high = ATTRIBUTE_RANGE
        return Prediction(self.to_categories(x), low + (high - low) * torch.sigmoid(self.to_attributes(x)))

    def means(self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> Tensor:
        """Standardised frames averaged over time, streams side by side: (B, width). A missing stream is average: zero."""
        parts = []
        for name, enter in self.inputs.items():
            count = masks[name].sum(dim=1, keepdim=True).clamp(min=1)
            parts.append(enter(features[name], masks[name]).sum(dim=1) / count)
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def solve(self, batches: Iterable[Batch], strength: float) -> None:
        """Set the weights to the ridge regression of soft labels, and of the ratings' logits, on the means.

        Parameters
        ----------
        batches : iterable of Batch
            All training rows once.
        strength : float
            λ of ``(XᵀX / width + λ) w = XᵀY / width``; X and Y are centred.
        """
        low, high = ATTRIBUTE_RANGE
        x, soft_labels, rated = (
            torch.cat(parts) for parts in zip(*map(self._row_values, batches), strict=True)
        )
        fit_linear(self.to_categories, x, soft_labels, strength)
        self.to_categories.weight.mul_(SHARPNESS)
        self.to_categories.bias.mul_(SHARPNESS)
        known = ~rated.isnan().any(dim=1)
        share = ((rated[known] - low) / (high - low)).clamp(EDGE, 1 - EDGE)
        fit_linear(self.to_attributes, x[known], share.logit(), strength)

    def _row_values(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        return self.means(batch.features, batch.masks), batch.soft_labels, batch.attributes


def fit_linear(layer: nn.Linear, x: Tensor, y: Tensor, strength: float) -> None:
    """Ridge regression of ``y`` (N, outputs) on ``x`` (N, width) into ``layer``; all zero where there are no rows."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    if not len(x):
        return
    x, y = x.double(), y.double()
    x_mean, y_mean = x.mean(dim=0), y.mean(dim=0)
    x, y = x - x_mean, y - y_mean
    width = x.shape[1]
    gram = x.T @ x / width
    gram.diagonal().add_(strength)
    weight = torch.linalg.solve(gram, x.T @ y / width).T
    layer.weight.copy_(weight)
    layer.bias.copy_(y_mean - weight @ x_mean)

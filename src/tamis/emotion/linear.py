"""A member without depth: streams averaged over time, read out by one linear layer.

On a small corpus its mistakes are others than a deep member's, which is what an ensemble lives on.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tamis.emotion.categories import ATTRIBUTE_RANGE, ATTRIBUTES
from tamis.emotion.deepser import Prediction
from tamis.emotion.mixup import Mixing
from tamis.emotion.stream_input import StreamInput


class LinearSER(nn.Module):
    """Linear counterpart of :class:`~tamis.emotion.deepser.DeepSER`, called in the same way.

    Parameters
    ----------
    streams : mapping of str to (dim, layers)
        As for DeepSER.
    categories : int
        Number of output categories C.
    input_dropout : float
        Share of the numbers that training sets to zero.
    """

    def __init__(
        self, streams: Mapping[str, tuple[int, int | None]], categories: int, input_dropout: float
    ) -> None:
        super().__init__()
        if not streams:
            raise ValueError("LinearSER: a member needs at least one stream.")
        self.inputs = nn.ModuleDict(
            {
                name: StreamInput(dim, layers, standardise=True, dropout=input_dropout)
                for name, (dim, layers) in streams.items()
            }
        )
        width = sum(dim for dim, _ in streams.values())
        self.to_categories, self.to_attributes = (
            nn.Linear(width, categories),
            nn.Linear(width, len(ATTRIBUTES)),
        )
        for layer in (self.to_categories, self.to_attributes):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor], mixing: Mixing | None = None
    ) -> Prediction:
        """Predict a batch: frames, masks and mixing as for DeepSER; a missing stream counts as average, that is zero."""
        means = [self._mean(name, features[name], masks[name]) for name in self.inputs]
        x = torch.cat(means, dim=1)
        if mixing is not None:
            x = mixing.blend(x)
        low, high = ATTRIBUTE_RANGE
        return Prediction(self.to_categories(x), low + (high - low) * torch.sigmoid(self.to_attributes(x)))

    def _mean(self, name: str, frames: Tensor, mask: Tensor) -> Tensor:
        entered: Tensor = self.inputs[name](frames, mask)
        return entered.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)

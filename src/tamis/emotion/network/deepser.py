"""DeepSER (paper, algorithm 2): streams fused at three depths, each fusion seeing the one before."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tamis.emotion.corpora import ATTRIBUTE_RANGE, ATTRIBUTES
from tamis.emotion.network.branch import Branch, BranchOutput
from tamis.emotion.network.mixup import Mixing
from tamis.emotion.network.settings import Architecture
from tamis.emotion.network.stream_adapter import StreamAdapter


class Prediction(NamedTuple):
    """Logits of the categories (B, C), and valence, arousal, dominance (B, 3) on the scale 1..7."""

    logits: Tensor
    attributes: Tensor


class DeepSER(nn.Module):
    """One member of the ensemble.

    Parameters
    ----------
    streams : mapping of str to (dim, layers)
        The streams it reads, in order; ``layers`` is None where frames hold a single layer's vector.
    categories : int
        Number of output categories C.
    architecture : Architecture
    """

    def __init__(
        self, streams: Mapping[str, tuple[int, int | None]], categories: int, architecture: Architecture
    ) -> None:
        super().__init__()
        if not streams:
            raise ValueError("DeepSER: a member needs at least one stream.")
        a = architecture
        sizes = (a.width, a.heads, a.hidden, a.dropout)
        self.masks = a.masks
        self.inputs = nn.ModuleDict(
            {
                name: StreamAdapter(dim, layers, a.standardise, a.input_dropout)
                for name, (dim, layers) in streams.items()
            }
        )
        # "legs" is what weight files call the streams' branches.
        self.legs = nn.ModuleDict(
            {name: Branch(dim, *sizes, a.positions) for name, (dim, _) in streams.items()}
        )
        self.deep = a.fusion == "deep"
        if self.deep:
            self.fusion_first = Branch(a.width, *sizes, positions=False)
            self.fusion_second = Branch(a.width, *sizes, positions=False)
        self.join = nn.Linear((len(streams) + self.deep) * a.width, a.width)
        self.to_categories = nn.Linear(a.width, categories)
        self.to_attributes = nn.Linear(a.width, len(ATTRIBUTES))

    def forward(
        self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor], mixing: Mixing | None = None
    ) -> Prediction:
        """Predict a batch.

        Parameters
        ----------
        features : mapping of str to Tensor, shape (B, T, dim) or (B, T, layers, dim)
            Per stream, zero-padded. T may differ between streams.
        masks : mapping of str to Tensor, shape (B, T), bool
            True = real frame. A row without any is a missing stream.
        mixing : Mixing, optional
            Manifold MixUp, applied to the joint representation before its ReLU.
        """
        branches = [self._branch(name, features[name], masks[name]) for name in self.legs]
        mask = torch.cat([masks[name] for name in self.legs], dim=1) if self.masks else None
        z = self.join(self._fuse(branches, mask))
        if mixing is not None:
            z = mixing.blend(z)
        z = F.relu(z)
        low, high = ATTRIBUTE_RANGE
        return Prediction(self.to_categories(z), low + (high - low) * torch.sigmoid(self.to_attributes(z)))

    def _branch(self, name: str, features: Tensor, mask: Tensor) -> BranchOutput:
        out: BranchOutput = self.legs[name](self.inputs[name](features, mask), mask if self.masks else None)
        return out

    def _fuse(self, branches: list[BranchOutput], mask: Tensor | None) -> Tensor:
        """Joint representation, shape (B, (streams + 1) · D), or (B, streams · D) for late fusion."""
        if not self.deep:
            return torch.cat([branch.pooled for branch in branches], dim=1)
        early = self.fusion_first(torch.cat([branch.first for branch in branches], dim=1), mask)
        middle = torch.cat([*(branch.second for branch in branches), early.second], dim=1)
        late = self.fusion_second(middle, None if mask is None else torch.cat([mask, mask], dim=1))
        return torch.cat([*(branch.pooled for branch in branches), late.pooled], dim=1)

"""Utterances side by side: what a model reads, and what it is trained towards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tamis.emotion.data.folds import Rows
from tamis.emotion.data.packed_frames import PackedFrames

Self = TypeVar("Self", bound="Inputs")


@dataclass
class Inputs:
    """What a model reads of B utterances.

    Attributes
    ----------
    features : dict of stream to Tensor, shape (B, T, dim) or (B, T, layers, dim)
        Zero-padded; T may differ between streams.
    masks : dict of stream to Tensor, shape (B, T), bool
        True = real frame; none where the stream is missing.
    """

    features: dict[str, Tensor]
    masks: dict[str, Tensor]

    def to(self: Self, device: torch.device) -> Self:
        """The same on ``device``."""
        return type(self)(**{f.name: _moved(getattr(self, f.name), device) for f in fields(self)})


@dataclass
class Batch(Inputs):
    """Inputs with what is known of the utterances.

    Attributes
    ----------
    soft_labels : Tensor, shape (B, C)
    attributes : Tensor, shape (B, 3)
        NaN where not rated.
    rows : Tensor, shape (B,)
        Their rows in the index.
    """

    soft_labels: Tensor
    attributes: Tensor
    rows: Tensor


def padded_inputs(frames: Mapping[str, PackedFrames], rows: Rows, streams: Sequence[str]) -> Inputs:
    """Rows of the packed streams, padded to the longest of them."""
    padded = {name: frames[name].padded(rows) for name in streams}
    return Inputs(
        {name: x for name, (x, _) in padded.items()}, {name: mask for name, (_, mask) in padded.items()}
    )


def total_lengths(frames: Mapping[str, PackedFrames], streams: Sequence[str]) -> npt.NDArray[np.int64]:
    """Frames of every row in all ``streams`` together, shape (N,)."""
    total: npt.NDArray[np.int64] = np.sum([frames[name].lengths for name in streams], axis=0)
    return total


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, dict):
        return {name: tensor.to(device) for name, tensor in value.items()}
    return value.to(device)

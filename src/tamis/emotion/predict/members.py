"""The one way in which members predict: training measures with it, and a recogniser serves with it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tamis.emotion.corpora import ATTRIBUTES
from tamis.emotion.data import PackedFrames, Rows, padded_inputs, total_lengths


class TrainedMember(NamedTuple):
    """A model and the streams that it reads, by their names in the packed frames."""

    streams: tuple[str, ...]
    model: nn.Module


def predict(
    members: Sequence[TrainedMember],
    frames: Mapping[str, PackedFrames],
    variants: Sequence[Rows],
    batch_size: int = 64,
) -> tuple[Tensor, Tensor]:
    """What each member says of N utterances, as the mean over their variants (geometric for probabilities).

    Eval mode and gradients are the caller's care.

    Parameters
    ----------
    members : sequence of TrainedMember, at least one
    frames : mapping of stream to PackedFrames
    variants : sequence of Rows, each of shape (N,)
        Rows of the utterances as they are and, in any order, of their augmented variants.
    batch_size : int
        Utterances of like length are put together.

    Returns
    -------
    probabilities : Tensor, shape (M, N, C), float32, on the CPU
    attributes : Tensor, shape (M, N, 3), float32
        NaN where a model has none.
    """
    of_members = [
        torch.stack([_outputs(member, frames, rows, batch_size) for rows in variants]).mean(dim=0)
        for member in members
    ]
    outputs = torch.stack(of_members)
    logits, attributes = outputs.split([outputs.shape[2] - len(ATTRIBUTES), len(ATTRIBUTES)], dim=2)
    return logits.softmax(dim=2), attributes


def _outputs(
    member: TrainedMember, frames: Mapping[str, PackedFrames], rows: Rows, batch_size: int
) -> Tensor:
    """Log-probabilities and attributes side by side, (N, C + 3)."""
    device = next(member.model.parameters()).device
    order = np.argsort(total_lengths(frames, member.streams)[rows], kind="stable")
    outputs = []
    for i in range(0, len(rows), batch_size):
        batch = padded_inputs(frames, rows[order[i : i + batch_size]], member.streams).to(device)
        prediction = member.model(batch.features, batch.masks)
        outputs.append(
            torch.cat([F.log_softmax(prediction.logits, dim=1), prediction.attributes], dim=1).cpu()
        )
    return torch.cat(outputs)[torch.from_numpy(np.argsort(order, kind="stable"))]

"""Modality dropout: in training, streams are hidden at random, so that the model learns to do without."""

import torch
from torch import Tensor


def hide_streams(
    features: dict[str, Tensor], masks: dict[str, Tensor], probability: float
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Hide each stream of each utterance with ``probability``, but never the last one that it has.

    Draws from torch's global generator. Hidden frames become zero and their mask False.
    """
    if probability == 0 or len(masks) < 2:
        return features, masks
    present = torch.stack([mask.any(dim=1) for mask in masks.values()], dim=1)
    chance = torch.rand(present.shape).to(present.device)
    spared = torch.where(present, torch.rand(present.shape).to(present.device), -1).argmax(dim=1)
    kept = (chance >= probability) | (torch.arange(len(masks), device=present.device) == spared[:, None])
    shown = {name: mask & kept[:, i, None] for i, (name, mask) in enumerate(masks.items())}
    return {name: x * _alike(shown[name], x) for name, x in features.items()}, shown


def _alike(mask: Tensor, x: Tensor) -> Tensor:
    return mask.view(*mask.shape, *[1] * (x.dim() - 2)).to(x.dtype)

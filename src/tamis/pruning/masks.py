"""Keeping zeros where they are."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the masked weights to zero again, in place: after every optimizer step, training keeps the zeros.

    In the loop of :mod:`tamis.training`: ``Stage(..., after_step=lambda model: apply_masks(model, masks))``.

    Parameters
    ----------
    model : nn.Module
    masks : mapping
        Parameter name -> bool Tensor of the parameter's shape, as in ``prune(...).masks``.
    """
    with torch.no_grad():
        for name, mask in masks.items():
            weight = model.get_parameter(name)
            weight.masked_fill_(~mask.to(weight.device), 0)

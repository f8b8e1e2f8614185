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

    Raises
    ------
    ValueError   if a mask does not fit: no such parameter, another shape, not bool; nothing is changed.
    TypeError    if ``masks`` is no mapping to tensors.
    """
    if not isinstance(masks, Mapping) or not all(isinstance(mask, Tensor) for mask in masks.values()):
        raise TypeError(
            f"apply_masks(model, masks): got {type(masks).__name__}, expected a mapping of names to bool tensors: prune(...).masks."
        )
    weights = dict(model.named_parameters(remove_duplicate=False))
    for name, mask in masks.items():
        if name not in weights:
            raise ValueError(f"apply_masks(model, masks): {type(model).__name__} has no parameter {name!r}.")
        if mask.dtype != torch.bool or mask.shape != weights[name].shape:
            raise ValueError(
                f"apply_masks(model, masks): {name} needs a bool mask of {tuple(weights[name].shape)}, but has a {mask.dtype} mask "
                f"of {tuple(mask.shape)}."
            )
    with torch.no_grad():
        for name, mask in masks.items():
            weight = weights[name]
            weight.masked_fill_(~mask.to(weight.device), 0)

"""Weight matrices of a real model."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from tamis.workloads.dlmc import unit_shape


def linear_weights(model: nn.Module, *, one_per_role: bool = True) -> Iterator[tuple[str, Tensor]]:
    """Yield (name, weight of shape (out, in)) of the ``nn.Linear`` layers.

    Parameters
    ----------
    model : nn.Module
    one_per_role : bool
        Keep one layer of those whose names differ only in numbers ("encoder.layer.3.output" and "encoder.layer.4.output"):
        the one in the middle of the model, which is neither the first nor the last.
    """
    named = [
        (name, module.weight.detach())
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    ]
    if not one_per_role:
        yield from named
        return
    roles: dict[str, list[tuple[str, Tensor]]] = {}
    for name, weight in named:
        roles.setdefault(".".join(part for part in name.split(".") if not part.isdigit()), []).append(
            (name, weight)
        )
    for members in roles.values():
        yield members[len(members) // 2]


def divides(weight: Tensor, pattern: str) -> bool:
    """Whether a layer's shape divides into the pattern's units, so that :func:`tamis.workloads.dlmc.cut` can prune it."""
    rows, cols = unit_shape(pattern)
    return weight.shape[0] % rows == 0 and weight.shape[1] % cols == 0

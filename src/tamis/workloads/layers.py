"""Weight matrices of a real model."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from tamis.inspect import linear_layers
from tamis.workloads.dlmc import unit_shape


def one_weight_per_role(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield (name, weight of shape (out, in)) of one ``nn.Linear`` per role.

    Layers have the same role if their names differ only in numbers ("encoder.layer.3.output" and
    "encoder.layer.4.output"); the one in the middle of the model is taken, which is neither the first nor the last.
    """
    roles: dict[str, list[tuple[str, Tensor]]] = {}
    for name, layer in linear_layers(model).items():
        role = ".".join(part for part in name.split(".") if not part.isdigit())
        roles.setdefault(role, []).append((name, layer.weight.detach()))
    for members in roles.values():
        yield members[len(members) // 2]


def divides(weight: Tensor, pattern: str) -> bool:
    """Whether a layer's shape divides into the pattern's units, so that :func:`tamis.workloads.dlmc.cut` can prune it."""
    rows, cols = unit_shape(pattern)
    return weight.shape[0] % rows == 0 and weight.shape[1] % cols == 0

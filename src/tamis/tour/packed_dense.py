"""The strongest dense opponent: linear layers with weights packed ahead for oneDNN, as ``torch.compile`` freezes them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tamis.tour.pruned import Encoder, linear_weights


class PackedLinear(nn.Module):
    """``nn.Linear`` by the operator that inductor emits for frozen weights; it has no public name.

    Parameters
    ----------
    layer : nn.Linear
    n : int
        Rows of the input that the packing is chosen for.
    """

    def __init__(self, layer: nn.Linear, n: int) -> None:
        super().__init__()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), n)
        self.bias = layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """Map x (..., k) to (..., m)."""
        product: Tensor = torch.ops.mkldnn._linear_pointwise(
            x.reshape(-1, x.shape[-1]), self.packed, self.bias, "none", [], ""
        )
        return product.reshape(*x.shape[:-1], product.shape[-1])


def packed_dense(encoder: Encoder, n: int) -> nn.Module | None:
    """Copy an encoder with packed linear layers; None where torch has no oneDNN."""
    if not torch.backends.mkldnn.is_available():
        return None
    model = encoder.copy()
    for name in linear_weights(model):
        layer = model.get_submodule(name)
        if isinstance(layer, nn.Linear):
            parent, _, child = name.rpartition(".")
            model.get_submodule(parent).register_module(child, PackedLinear(layer, n))
    return model

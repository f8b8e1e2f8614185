"""densify(model): sparse module -> dense module, the way back from ``sparsify``."""

import torch
from torch import nn

from tamis.inspect import additions
from tamis.models.replacement import dense_of, swap
from tamis.nn import SparseLinear


@torch.inference_mode(False)  # parameters made in inference mode could never be trained
def densify(model: nn.Module) -> nn.Module:
    """Put an ``nn.Linear`` of the same numbers in the place of every :class:`tamis.nn.SparseLinear`, in place.

    For programs that look for ``nn.Linear`` or write to its weight: exporters, quantisers, adapters that merge.

    Parameters
    ----------
    model : nn.Module

    Returns
    -------
    nn.Module
        ``model`` itself; if it is itself a SparseLinear, a new layer. Biases stay the same parameters; weights are new ones, that
        an optimizer made before does not know.

    Raises
    ------
    TypeError    if ``model`` is no module.
    ValueError   if a layer has hooks or is of a subclass, which would be lost; nothing is changed.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(64, 64))
    >>> _ = tamis.prune(model, sparsity=0.9)
    >>> _ = tamis.sparsify(model, example_inputs=torch.randn(8, 64), replace="everywhere")
    >>> tamis.densify(model)[0]
    Linear(in_features=64, out_features=64, bias=True)
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"densify(model): got {type(model).__name__}, expected an nn.Module.")
    sparse = {name: layer for name, layer in model.named_modules() if isinstance(layer, SparseLinear)}
    for name, layer in sparse.items():
        if lost := additions(layer, SparseLinear):
            raise ValueError(f"densify(model): {name or 'the model'} {lost}; nothing was changed.")
    if isinstance(model, SparseLinear):
        return dense_of(model)
    swap(model, {layer: dense_of(layer) for layer in sparse.values()})
    return model

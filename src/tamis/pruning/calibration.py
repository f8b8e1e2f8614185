"""Running a model on example inputs, and what the layers see while it runs."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

ModelInputs = Tensor | tuple[object, ...] | list[object] | Mapping[str, object]


def run_model(model: nn.Module, inputs: ModelInputs) -> object:
    """Call ``model(x)``, ``model(*x)`` or ``model(**x)``, as a tensor, a tuple or a mapping asks for."""
    if isinstance(inputs, Tensor):
        return model(inputs)
    if isinstance(inputs, Mapping):
        return model(**inputs)
    if isinstance(inputs, tuple | list):
        return model(*inputs)
    raise TypeError(
        f"model inputs: got {type(inputs).__name__}, expected a tensor for model(x), a tuple for model(*x), "
        "or a mapping for model(**x)."
    )


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Run the block without gradients and in eval mode; every module gets its own training flag back."""
    flags = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in flags:
            module.training = training


def input_norms(
    model: nn.Module, batches: Iterable[ModelInputs], layers: Iterable[nn.Module]
) -> dict[nn.Module, Tensor]:
    """Measure the L2 norm of every input column of every layer, over all tokens of all batches.

    Parameters
    ----------
    model : nn.Module
    batches : iterable of tensors, tuples or mappings
        Each is one call of the model, see :func:`run_model`.
    layers : iterable of nn.Module
        Layers inside ``model`` whose first argument is (..., k).

    Returns
    -------
    dict
        layer -> Tensor of shape (k,), float64. Layers that never ran are absent.
    """
    sums: dict[nn.Module, Tensor] = {}

    def add(layer: nn.Module, args: tuple[Tensor, ...]) -> None:
        columns = args[0].detach().flatten(0, -2).double().square().sum(0)
        sums[layer] = sums[layer] + columns if layer in sums else columns

    hooks = [layer.register_forward_pre_hook(add) for layer in layers]
    try:
        with evaluating(model):
            for batch in batches:
                run_model(model, batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {layer: total.sqrt() for layer, total in sums.items()}

"""What the layers of a model receive while it runs on example inputs."""

from collections.abc import Iterable

from torch import Tensor, nn

from tamis.inspect.running import ModelInputs, evaluating, run_model


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

"""Putting other modules in the places of a model's layers, and making sure that it still runs."""

from collections import Counter
from collections.abc import Iterable, Mapping

from torch import nn

from tamis.inspect import LayerUse, ModelInputs, evaluating, run_model
from tamis.nn import SparseLinear


def swap(model: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> None:
    """Replace modules wherever the model holds them, also in several places."""
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if module in replacements:
            parent, _, child = name.rpartition(".")
            model.get_submodule(parent).register_module(child, replacements[module])


def swap_and_try(
    model: nn.Module,
    inputs: ModelInputs,
    replacements: Mapping[nn.Module, SparseLinear],
    uses: Mapping[nn.Module, LayerUse],
) -> set[nn.Module]:
    """Replace layers, run the model, and put back those that it did not call as often as before.

    Those are layers which the model also reaches by another way than its attributes (a plain list, a closure).

    Returns
    -------
    set of nn.Module
        The dense layers that are back in their places.

    Raises
    ------
    RuntimeError   if the model no longer runs; all layers are back in their places then.
    """
    back: dict[nn.Module, nn.Module] = {sparse: dense for dense, sparse in replacements.items()}
    swap(model, replacements)
    try:
        calls = _count_calls(model, inputs, replacements.values())
    except BaseException as error:
        swap(model, back)
        if not isinstance(error, Exception):
            raise
        raise RuntimeError(
            f"sparsify(model): with sparse layers the model fails on example_inputs: {type(error).__name__}: {error}\n"
            "It is dense again. Leave the layer out that its code treats as an nn.Linear: sparsify(..., where=...)."
        ) from error
    missed = {dense for dense, sparse in replacements.items() if calls[sparse] != len(uses[dense].tokens)}
    swap(model, {sparse: dense for sparse, dense in back.items() if dense in missed})
    return missed


def _count_calls(model: nn.Module, inputs: ModelInputs, layers: Iterable[nn.Module]) -> Counter[nn.Module]:
    calls: Counter[nn.Module] = Counter()
    hooks = [layer.register_forward_hook(lambda module, *_: calls.update([module])) for layer in layers]
    try:
        with evaluating(model):
            run_model(model, inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return calls

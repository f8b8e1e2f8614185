"""Putting other modules in the places of a model's layers, and making sure that it still runs.

A replaced layer is not kept alive: its dense weight goes as soon as nobody but the model knew it, so that making a model
sparse never needs both models at once. Where a layer must go back, it is the same object if somebody still holds it, else
an equal one.
"""

import weakref
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from torch import Tensor, nn

from tamis.inspect import ModelInputs, evaluating, run_model, watching_calls
from tamis.nn import SparseLinear


def swap(model: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> None:
    """Replace modules wherever the model holds them, also in several places."""
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if module in replacements:
            parent, _, child = name.rpartition(".")
            model.get_submodule(parent).register_module(child, replacements[module])


@dataclass(frozen=True)
class _Former:
    """What is known of a layer that was replaced, without keeping it alive."""

    name: str
    layer: weakref.ref[nn.Module]
    weight: weakref.ref[Tensor]
    calls: int


class Replacements:
    """Layers replaced one by one; if the block raises, all are back in their places, and the model is as it was.

    Parameters
    ----------
    model : nn.Module

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    >>> with Replacements(model) as replaced:
    ...     replaced.put("0", model[0], SparseLinear.from_dense(model[0]), calls=1)
    ...     raise KeyError
    Traceback (most recent call last):
    KeyError
    >>> model[0]
    Linear(in_features=4, out_features=4, bias=True)
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._former: dict[SparseLinear, _Former] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._put_back(list(self._former))

    def put(self, name: str, layer: nn.Linear, sparse: SparseLinear, *, calls: int) -> None:
        """Replace a layer wherever the model holds it.

        Parameters
        ----------
        name : str
            To call it by in the answer of :meth:`put_back_missed`.
        layer : nn.Linear
        sparse : SparseLinear
            Shares its bias with the layer.
        calls : int
            How often the model calls the layer in one forward pass.
        """
        self._former[sparse] = _Former(name, weakref.ref(layer), weakref.ref(layer.weight), calls)
        swap(self._model, {layer: sparse})

    def put_back_missed(self, inputs: ModelInputs) -> dict[str, int]:
        """Run the model, and put back the layers whose sparse form it did not call as often as the dense one.

        Those are layers which the model also reaches by another way than its attributes (a plain list, a closure).

        Returns
        -------
        dict
            Their names -> how often the sparse form was called.

        Raises
        ------
        RuntimeError   if the model does not run with sparse layers.
        """
        try:
            calls = self._count_calls(inputs)
        except Exception as error:
            raise RuntimeError(
                f"sparsify(model): with sparse layers the model fails on example_inputs: {type(error).__name__}: {error}\n"
                "It is dense again. Leave the layer out that its code treats as an nn.Linear: sparsify(..., where=...)."
            ) from error
        missed = [sparse for sparse, former in self._former.items() if calls[sparse] != former.calls]
        counts = {self._former[sparse].name: calls[sparse] for sparse in missed}
        self._put_back(missed)
        return counts

    def _count_calls(self, inputs: ModelInputs) -> Counter[nn.Module]:
        calls: Counter[nn.Module] = Counter()
        with (
            evaluating(self._model),
            watching_calls(self._former, lambda layer, _: calls.update([layer])),
        ):
            run_model(self._model, inputs)
        return calls

    def _put_back(self, layers: list[SparseLinear]) -> None:
        for sparse in layers:
            former = self._former.pop(sparse)
            layer = former.layer()
            swap(self._model, {sparse: _dense_again(sparse, former.weight()) if layer is None else layer})


def dense_of(sparse: SparseLinear) -> nn.Linear:
    """Build the ``nn.Linear`` of equal numbers, with the same bias parameter and mode."""
    layer = sparse.to_dense()
    layer.bias = sparse.bias  # type: ignore[assignment]  # None is right where there is no bias
    layer.weight.requires_grad_(sparse.values.requires_grad)
    return layer


def _dense_again(sparse: SparseLinear, weight: Tensor | None) -> nn.Linear:
    """Build the layer that a sparse one replaced: equal numbers, and the parameters themselves that still live."""
    layer = dense_of(sparse)
    if weight is not None:
        layer.weight = weight
    return layer

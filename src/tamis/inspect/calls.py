"""Watching the calls of layers, however they are called: ``layer(x)``, ``layer(input=x)``, ``layer.forward(x)``."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from torch import Tensor, nn


@contextmanager
def watching_calls(
    layers: Iterable[nn.Module], called: Callable[[nn.Module, Tensor], None]
) -> Iterator[None]:
    """Tell ``called`` of every call of the layers inside the block: the layer and its input, before it runs.

    No hooks are attached, since some of torch's own layers take another path when they see one.

    Parameters
    ----------
    layers : iterable of nn.Module
        Their input is the first argument, or the one named ``input``.
    called : callable
    """
    former = [(layer, vars(layer).get("forward")) for layer in layers]
    try:
        for layer, _ in former:
            layer.forward = _watched(layer, called)
        yield
    finally:
        for layer, own in former:
            vars(layer).pop("forward", None)
            if own is not None:
                layer.forward = own


def _watched(layer: nn.Module, called: Callable[[nn.Module, Tensor], None]) -> Callable[..., Any]:
    forward = layer.forward

    @wraps(forward)
    def watched(*args: Any, **kwargs: Any) -> Any:
        x = args[0] if args else kwargs.get("input")
        if isinstance(x, Tensor):
            called(layer, x)
        return forward(*args, **kwargs)

    return watched

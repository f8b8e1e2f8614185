"""Running a model on example inputs."""

from collections.abc import Iterator, Mapping
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

"""What a model does with its linear layers during one forward pass.

Each ``nn.Linear`` becomes, for the length of the pass, an instance of a subclass that notes its calls and who
reads its weight from outside. No hooks are attached, since some of torch's own layers take another path when they
see one: the pass is the one that the user runs.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tamis.inspect.running import ModelInputs, evaluating, run_model

# Kept of every layer's input until it is judged: in a large model this adds up.
SAMPLE_TOKENS = 32


@dataclass
class LayerUse:
    """How one layer was used.

    Attributes
    ----------
    tokens : list of int
        Rows of the input of each call: the n of its matrix product.
    sample : Tensor
        Up to 32 rows of the first input that had any, (rows, k); empty without a call.
    readers : set of str
        Functions other than the layer's own forward that read its weight or bias.
    """

    tokens: list[int] = field(default_factory=list)
    sample: Tensor = field(default_factory=lambda: torch.empty(0, 0))
    readers: set[str] = field(default_factory=set)


def trace(model: nn.Module, inputs: ModelInputs, layers: Iterable[nn.Linear]) -> dict[nn.Module, LayerUse]:
    """Run the model once, in eval mode and without gradients, and watch the layers.

    Parameters
    ----------
    model : nn.Module
    inputs : Tensor, tuple or mapping
        See :func:`tamis.inspect.run_model`.
    layers : iterable of nn.Linear
        Exactly of that class, inside ``model``.
    """
    watched = list(layers)
    uses: dict[nn.Module, LayerUse] = {layer: LayerUse() for layer in watched}
    running: set[nn.Module] = set()

    class Watched(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            _note_call(uses[self], input)
            running.add(self)
            try:
                return super().forward(input)
            finally:
                running.discard(self)

        def __getattr__(self, name: str) -> Tensor | nn.Module:
            if name in ("weight", "bias") and self not in running:
                uses[self].readers.add(sys._getframe(1).f_code.co_qualname)
            return super().__getattr__(name)

    try:
        for layer in watched:
            layer.__class__ = Watched
        with evaluating(model):
            run_model(model, inputs)
    finally:
        for layer in watched:
            layer.__class__ = nn.Linear
    return uses


def _note_call(use: LayerUse, x: Tensor) -> None:
    rows = x.detach().reshape(-1, x.shape[-1])
    use.tokens.append(rows.shape[0])
    if not use.sample.numel():
        use.sample = rows[:SAMPLE_TOKENS].clone()

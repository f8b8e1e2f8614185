"""What a model does with its linear layers during one forward pass.

Each ``nn.Linear`` becomes, for the length of the pass, an instance of a subclass that notes its calls and who
asks for its weight from outside. Whether the numbers are read, or only their dtype or shape, is seen by a dispatch
mode, which gets every operation. No hooks are attached, since some of torch's own layers take another path when
they see one: the pass is the one that the user runs.
"""

import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tamis.inspect.memory import is_plain
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
        Functions other than the layer's own forward that read the numbers of its weight.
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
    asking: dict[nn.Module, str] = {}  # who asked last for a layer's weight

    class Watched(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            _note_call(uses[self], input)
            running.add(self)
            try:
                return super().forward(input)
            finally:
                running.discard(self)

        def __getattr__(self, name: str) -> Tensor | nn.Module:
            if name == "weight" and self not in running:
                asking[self] = sys._getframe(1).f_code.co_qualname
            return super().__getattr__(name)

    def read(layer: nn.Module, function: str) -> None:
        if layer not in running:
            uses[layer].readers.add(asking.get(layer, function))

    try:
        for layer in watched:
            layer.__class__ = Watched
        with evaluating(model), _Reads(watched, read):
            run_model(model, inputs)
    finally:
        for layer in watched:
            layer.__class__ = nn.Linear
    return uses


class _Reads(TorchDispatchMode):
    """Tells ``read`` of every operation on the memory of a layer's weight: the layer, and the function that called it."""

    def __init__(self, layers: Iterable[nn.Linear], read: Callable[[nn.Module, str], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        weights = ((layer, layer._parameters["weight"]) for layer in layers)
        known = {
            weight.data_ptr(): (weight.nbytes, layer) for layer, weight in weights if _has_memory(weight)
        }
        self._starts, self._read = sorted(known), read
        self._known = known

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        for leaf in tree_leaves((args, kwargs)):
            layer = self._layer_of(leaf)
            if layer is not None:
                self._read(layer, _caller())
        return func(*args, **kwargs)

    def _layer_of(self, leaf: object) -> nn.Linear | None:
        """Layer in whose weight a tensor begins; several weights may be parts of one storage."""
        if not _has_memory(leaf):
            return None
        place = leaf.data_ptr()
        index = bisect_right(self._starts, place) - 1
        if index < 0:
            return None
        start = self._starts[index]
        nbytes, layer = self._known[start]
        return layer if place < start + nbytes else None


def _caller() -> str:
    """Name the function that called the operation, beyond torch's own wrappers of a mode."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("torch._"):
        frame = frame.f_back
    return "" if frame is None else frame.f_code.co_qualname


def _has_memory(leaf: object) -> TypeGuard[Tensor]:
    return isinstance(leaf, Tensor) and is_plain(leaf) and not leaf.is_meta and leaf.numel() > 0


def _note_call(use: LayerUse, x: Tensor) -> None:
    rows = x.detach().reshape(-1, x.shape[-1])
    use.tokens.append(rows.shape[0])
    if not use.sample.numel():
        use.sample = rows[:SAMPLE_TOKENS].clone()

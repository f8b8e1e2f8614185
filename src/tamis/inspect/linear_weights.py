"""The weight matrices of a model's linear layers, each memory once."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from tamis.inspect.memory import is_plain, memory_of

ATTENTION_WEIGHTS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


@dataclass(frozen=True)
class LinearWeight:
    """A weight matrix.

    Attributes
    ----------
    name : str
        The layer's name; for the packed projections of attention, the parameter's.
    module : nn.Module
        The module that holds it.
    parameter : str
        The parameter's name within the model.
    weight : Tensor or None
        (m, k). None if the module computes its weight anew in every forward.
    aliases : tuple of str
        Other parameters that are the same memory.
    obstacle : str or None
        Why it must be left alone, if it must.
    """

    name: str
    module: nn.Module
    parameter: str
    weight: Tensor | None
    aliases: tuple[str, ...] = ()
    obstacle: str | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(m, k), also where the weight is computed."""
        if self.weight is None and isinstance(self.module, nn.Linear):
            return self.module.out_features, self.module.in_features
        return (0, 0) if self.weight is None else (self.weight.shape[0], self.weight.shape[1])


def _spots(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Yield (module name, module, attribute) of the matrices of linear layers and attention, each name."""
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, nn.Linear):
            yield name, module, "weight"
        elif isinstance(module, nn.MultiheadAttention):
            for attribute in ATTENTION_WEIGHTS:
                if module._parameters.get(attribute) is not None:
                    yield name, module, attribute


def _obstacle(module: nn.Module, weight: Tensor | None, strangers: list[str]) -> str | None:
    if weight is None:
        return f"{type(module).__name__} computes its weight anew in every forward"
    if strangers:
        return f"shares its memory with {strangers[0]}, which is no linear layer"
    if weight.is_meta:
        return "is on the meta device, without values"
    if not is_plain(weight):
        what = (
            type(weight).__name__
            if type(weight) is not nn.Parameter
            else str(weight.layout).removeprefix("torch.")
        )
        return f"its weight is a {what}, whose numbers are not plainly in memory"
    if not weight.is_floating_point():
        return f"has {weight.dtype} weights"
    return None if weight.numel() else "has no weights"


def find_linear_weights(model: nn.Module) -> list[LinearWeight]:
    """List the prunable matrices in the order of ``model.named_modules()``; each memory once."""
    spots = [(name, module, attr, f"{name}.{attr}".lstrip(".")) for name, module, attr in _spots(model)]
    linear = {parameter for *_, parameter in spots}
    holders = defaultdict(list)
    for parameter, tensor in model.named_parameters(remove_duplicate=False):
        holders[memory_of(tensor)].append(parameter)

    targets: dict[object, LinearWeight] = {}
    for name, module, attribute, parameter in spots:
        weight = module._parameters.get(attribute)
        key = (id(module),) if weight is None else memory_of(weight)
        if key in targets:
            continue
        aliases = tuple(other for other in holders[key] if other != parameter)
        obstacle = _obstacle(module, weight, [other for other in aliases if other not in linear])
        shown = name if attribute == "weight" else parameter
        targets[key] = LinearWeight(shown, module, parameter, weight, aliases, obstacle)
    return list(targets.values())

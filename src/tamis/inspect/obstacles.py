"""Why a linear layer must stay dense: whatever would be lost or change if a sparse one took its place."""

from torch import nn

from tamis.inspect.linear_weights import LinearWeight
from tamis.inspect.tracing import LayerUse
from tamis.inspect.where import Where, chosen

HOOKS = (
    *("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"),
    *(
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "_load_state_dict_pre_hooks",
        "_load_state_dict_post_hooks",
    ),
)


def obstacle(target: LinearWeight, model: nn.Module, where: Where | None) -> str | None:
    """Say why a layer must stay dense, judging by the module alone; None if it need not."""
    layer = target.module
    if not chosen(target.name, target.module, where):
        return "not chosen by where="
    if target.weight is None or target.obstacle:
        return target.obstacle
    if not isinstance(layer, nn.Linear):
        return f"{type(layer).__name__} multiplies by it itself, without a linear layer"
    if lost := additions(layer, nn.Linear):
        return lost
    for alias in target.aliases:
        if model.get_submodule(alias.rpartition(".")[0]) is not layer:
            return f"shares its memory with {alias}; apart, they would take twice the memory"
    return None


def additions(layer: nn.Module, kind: type[nn.Module]) -> str | None:
    """Say what a layer has that a plain one of ``kind`` has not, and that would be lost with it; None if nothing."""
    if type(layer) is not kind:
        return f"is a {type(layer).__name__}, whose additions to nn.{kind.__name__} would be lost"
    if hooks := sum(len(getattr(layer, table)) for table in HOOKS):
        return f"has {hooks} hook{'s' * (hooks > 1)}, which would be lost"
    if "forward" in vars(layer):
        return "has a forward of its own, which would be lost"
    if kind is nn.Linear and (
        more := {*layer._parameters, *layer._buffers, *layer._modules} - {"weight", "bias"}
    ):
        return f"also holds {', '.join(sorted(more))}, which would be lost"
    return None


def unusable(target: LinearWeight, use: LayerUse) -> str | None:
    """Say why a layer must stay dense, judging by what the model did with it; None if it need not."""
    if use.readers:
        never = "" if use.tokens else ", which never calls the layer"
        return f"its weight is read by {', '.join(sorted(use.readers))}{never}"
    if not use.tokens:
        return "never ran on the example inputs"
    if not any(use.tokens):
        return "met only empty inputs"
    if target.weight is not None and bool((target.weight != 0).all()):
        return "has no zeros; prune the model first"
    return None

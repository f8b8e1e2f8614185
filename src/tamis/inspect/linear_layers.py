"""The linear layers of a model by name."""

from torch import nn

from tamis.inspect.where import Where, checked_where, chosen


def linear_layers(model: nn.Module, where: Where | None = None) -> dict[str, nn.Linear]:
    """Name -> ``nn.Linear``, in the model's order; a layer that is used in several places once.

    Parameters
    ----------
    model : nn.Module
    where : str, iterable of str or callable, optional
        Which of them: a pattern of names ("encoder.*"), several, or a predicate (name, module) -> bool. Default: all.
    """
    where = checked_where("linear_layers", where)
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and chosen(name, module, where)
    }

"""The repeated blocks of a model, by the names of its layers."""

from collections.abc import Iterable


def blocks(names: Iterable[str]) -> dict[str, list[str]]:
    """Group layer names by the block they are in: a name up to its first number, else the whole name.

    Parameters
    ----------
    names : iterable of str
        As in ``model.named_modules()``, in its order, which is kept.

    Returns
    -------
    dict
        Block -> names in it.

    Examples
    --------
    >>> blocks(["layer.0.query", "layer.0.key", "layer.1.query", "pooler.dense"])
    {'layer.0': ['layer.0.query', 'layer.0.key'], 'layer.1': ['layer.1.query'], 'pooler.dense': ['pooler.dense']}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        parts = name.split(".")
        end = next((i + 1 for i, part in enumerate(parts) if part.isdigit()), len(parts))
        found.setdefault(".".join(parts[:end]), []).append(name)
    return found

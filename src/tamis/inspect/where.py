"""Which layers of a model the caller means."""

from collections.abc import Callable
from fnmatch import fnmatchcase

from torch import nn

Where = str | Callable[[str, nn.Module], bool]


def chosen(name: str, module: nn.Module, where: Where | None) -> bool:
    """Apply the caller's choice: None takes all, a string is a name with ``*``, a callable decides."""
    if where is None:
        return True
    if isinstance(where, str):
        return fnmatchcase(name, where)
    return bool(where(name, module))

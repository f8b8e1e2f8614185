"""Which layers of a model the caller means."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from torch import nn

Predicate = Callable[[str, nn.Module], bool]
Where = str | Iterable[str] | Predicate


def chosen(name: str, module: nn.Module, where: Where | None) -> bool:
    """Apply the caller's choice: None takes all, a string is a name with ``*``, several are alternatives, a callable decides."""
    if where is None:
        return True
    if isinstance(where, str):
        return fnmatchcase(name, where)
    if callable(where):
        return bool(where(name, module))
    return any(fnmatchcase(name, pattern) for pattern in where)


def checked_where(call: str, where: object) -> str | tuple[str, ...] | Predicate | None:
    """Return a choice that can be applied many times.

    Raises
    ------
    TypeError   naming ``call``, if it is no string, no iterable of strings and no callable.
    """
    if where is None or isinstance(where, str) or callable(where):
        return where
    return checked_names(f"{call}(where=...)", where, "a predicate (name, module) -> bool, ")


def checked_names(said: str, names: object, others: str = "") -> tuple[str, ...]:
    """Return one pattern of names, or an iterable of them, as a tuple.

    Raises
    ------
    TypeError   starting with ``said``, if it is something else; ``others`` says what else is right.
    """
    if isinstance(names, str):
        return (names,)
    found = tuple(names) if isinstance(names, Iterable) else None
    if found is None or not all(isinstance(name, str) for name in found):
        what = type(names).__name__ if found is None else f"a {type(names).__name__} that holds other things"
        raise TypeError(
            f"{said}: got {what}, expected {others}a name with * for anything, or a list of them."
        )
    return found

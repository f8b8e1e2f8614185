"""Strict records: a dataclass says what a JSON or TOML file may hold, and every mistake in the file is named."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

R = TypeVar("R")

# For the dataclasses of rooms that must not import pydantic: a record says ``__pydantic_config__ = STRICT``.
STRICT = {"extra": "forbid", "strict": True}

# What pydantic calls a wrong type, and what a reader of the file calls the right one.
_EXPECTED = {
    "bool_type": "bool",
    "dataclass_type": "dict",
    "dict_type": "dict",
    "float_type": "float",
    "int_type": "int",
    "list_type": "list",
    "string_type": "str",
    "tuple_type": "list",
}


def read_record(kind: type[R], content: Any, where: str) -> R:
    """Build a record from the plain values of a file.

    Parameters
    ----------
    kind : dataclass
        One of pydantic's, with ``extra="forbid"``, or a plain one with ``__pydantic_config__ = STRICT``. Its fields' types,
        and those of dataclasses inside it, are what is checked.
    content : nested dicts, lists, strings and numbers
        As JSON or TOML hold them.
    where : str
        Starts the message of an error: the file, or the call.

    Raises
    ------
    ValueError
        Naming all keys that are unknown (with the nearest known one), missing, of a wrong type or out of bounds.
    """
    from pydantic import TypeAdapter, ValidationError
    from pydantic_core import to_json

    text = to_json(content, inf_nan_mode="constants")  # in JSON, a list may stand for a tuple, even strictly
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        problems = [_problem(kind, found) for found in error.errors()]
    if len(problems) == 1:
        raise ValueError(f"{where}: {problems[0]}")
    raise ValueError("\n  ".join([f"{where}: {len(problems)} values cannot be used:", *problems]))


def plain(record: Any) -> Any:
    """The values of a record as JSON holds them; :func:`read_record` makes an equal record of them."""
    from pydantic import TypeAdapter

    return TypeAdapter(type(record)).dump_python(record, mode="json")


def _problem(kind: Any, error: ErrorDetails) -> str:
    *above, key = error["loc"] or ("",)
    parent = ".".join(map(str, above)) + ": " if above else ""
    if error["type"] == "unexpected_keyword_argument":
        return f"{parent}unknown key {str(key)!r}; {_nearest(str(key), _known_keys(kind, above))}"
    if error["type"] == "missing":
        return f"{parent}key {str(key)!r} is missing."
    value = error["input"]
    if key and error["type"] in _EXPECTED:
        return f"{parent}{key} is {type(value).__name__}, expected {_EXPECTED[error['type']]} (got {_short(value)})."
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message if error["type"] == "value_error" else f"{message} (got {_short(value)})"
    return f"{'.'.join(map(str, error['loc']))}: {message} (got {_short(value)})"


def _nearest(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."


def _known_keys(kind: Any, location: Sequence[str | int]) -> list[str]:
    """Field names of the dataclass at ``location`` inside ``kind``."""
    for part in location:
        kind = get_type_hints(kind)[part] if is_dataclass(kind) and isinstance(part, str) else _element(kind)
    record = kind if is_dataclass(kind) else _element(kind)
    return [field.name for field in fields(record)] if is_dataclass(record) else []


def _element(kind: Any) -> Any:
    """The dataclass inside ``tuple[X, ...]``, ``dict[str, X]`` or ``X | None``."""
    for inside in reversed(get_args(kind)):
        found = inside if is_dataclass(inside) else _element(inside)
        if is_dataclass(found):
            return found
    return None


def _short(value: Any) -> str:
    text = repr(asdict(value) if is_dataclass(value) and not isinstance(value, type) else value)
    return text if len(text) <= 60 else text[:57] + "..."

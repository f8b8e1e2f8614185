"""JSON files: readable, strict about numbers, whole or absent."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tamis.storage.beside import write_text


def write_json(path: str | Path, content: Any) -> None:
    """Write ``content`` as readable JSON; numbers that JSON does not have (NaN, infinity) become null."""
    write_text(path, json.dumps(_finite(content), indent=1, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    OSError      if it cannot be read.
    ValueError   naming the file, if it is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from None


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(key): _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    if isinstance(content, float) and (content != content or abs(content) == float("inf")):
        return None
    return content

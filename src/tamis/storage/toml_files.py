"""TOML files, which people write."""

import tomllib
from pathlib import Path
from typing import Any


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    OSError      if it cannot be read.
    ValueError   naming the file, and the line where the mistake is, if it is not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are two of them
        raise ValueError(f"{path}: not TOML: {error}") from None

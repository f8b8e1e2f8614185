"""``tamis.json``: what a saved sparse model is made of. Strict on the way in: every key is known, or named in the error."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tamis.models.architecture import Architecture

FILE = "tamis.json"
FORMAT, VERSION = "tamis sparse model", 1


@dataclass(frozen=True)
class SavedLayer:
    """A SparseLinear: how its tensors are to be read (see ``formats.to_record``), and the kernel if one was forced."""

    format: dict[str, str]
    kernel: str | None = None


@dataclass(frozen=True)
class Manifest:
    """The saved model but for its tensors.

    Attributes
    ----------
    model_class : str
        For people: the class of the model.
    tensors : str
        Name of the safetensors file beside the manifest; its keys are those of the model's ``state_dict``.
    sha256 : str
        Of that file.
    layers : dict
        Name -> SavedLayer, for every SparseLinear.
    tied : dict
        state_dict key -> the key that holds the same memory and is in the file.
    architecture : Architecture or None
        For models of ``transformers``.
    """

    model_class: str
    tensors: str
    sha256: str
    layers: dict[str, SavedLayer] = field(default_factory=dict)
    tied: dict[str, str] = field(default_factory=dict)
    architecture: Architecture | None = None


def to_json(manifest: Manifest) -> str:
    """Write the manifest as readable JSON, without keys that have no value."""
    content = asdict(manifest, dict_factory=lambda items: {k: v for k, v in items if v is not None})
    return json.dumps({"format": FORMAT, "version": VERSION} | content, indent=1) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``tamis.json``.

    Raises
    ------
    FileNotFoundError   if the folder holds no saved model.
    ValueError          naming the key that is missing, unknown or of a wrong type.
    """
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"load_sparse({str(folder)!r}): there is no {FILE} in it; save_sparse(model, folder) writes one."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from None
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ValueError(f'{path}: expected an object with "format": "{FORMAT}".')
    if (version := content.pop("version", None)) != VERSION:
        raise ValueError(f"{path}: version is {version!r}; this library reads {VERSION}.")
    return _manifest(str(path), content)


def _manifest(where: str, content: dict[str, Any]) -> Manifest:
    required = {"model_class": str, "tensors": str, "sha256": str, "layers": dict, "tied": dict}
    parts = _checked(where, content, required, {"architecture": dict})
    if Path(parts["tensors"]).name != parts["tensors"]:
        raise ValueError(f"{where}: tensors is {parts['tensors']!r}, expected a file name without a folder.")
    layers = {}
    for name, layer in parts["layers"].items():
        layer = _checked(f"{where}: layers: {name}", layer, {"format": dict}, {"kernel": str})
        _strings(f"{where}: layers: {name}: format", layer["format"])
        layers[name] = SavedLayer(**layer)
    _strings(f"{where}: tied", parts["tied"])
    architecture = parts.get("architecture")
    if architecture is not None:
        keys = {"name": str, "config": dict, "attention": str}
        architecture = Architecture(**_checked(f"{where}: architecture", architecture, keys, {}))
    return Manifest(**(parts | {"layers": layers, "architecture": architecture}))


def _checked(
    where: str, content: Any, required: Mapping[str, type], optional: Mapping[str, type]
) -> dict[str, Any]:
    """Return an object from JSON if it has the required keys, no unknown ones, and the right types."""
    known = {**required, **optional}
    if not isinstance(content, dict):
        raise ValueError(
            f"{where}: got {type(content).__name__}, expected an object with {', '.join(known)}."
        )
    for key, value in content.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise ValueError(
                f"{where}: unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ".")
            )
        if not isinstance(value, known[key]):
            raise ValueError(f"{where}: {key} is {type(value).__name__}, expected {known[key].__name__}.")
    for key in required.keys() - content.keys():
        raise ValueError(f"{where}: key {key!r} is missing.")
    return content


def _strings(where: str, content: dict[str, Any]) -> None:
    for key, value in content.items():
        if not isinstance(value, str):
            raise ValueError(f"{where}: {key} is {type(value).__name__}, expected str.")

"""``tamis.json``: what a saved sparse model is made of. Strict on the way in: every key is known, or named in the error."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tamis.models.architecture import Architecture
from tamis.storage import STRICT, read_json, read_record

FILE = "tamis.json"
FORMAT, VERSION = "tamis sparse model", 1


@dataclass(frozen=True)
class SavedLayer:
    """A SparseLinear: how its tensors are to be read (see ``formats.to_record``), the kernel if one was forced, and what it was
    made for: rows of x, and precision, if they are not the constructor's."""

    format: dict[str, str]
    kernel: str | None = None
    n: int | None = None
    compute: str | None = None


@dataclass(frozen=True)
class Manifest:
    """The saved model but for its tensors.

    Attributes
    ----------
    model_class : str
        For people: the class of the model.
    tensors : str
        Name of the safetensors file beside the manifest; its keys are those of the model's ``state_dict``, but that a
        sparse layer has the tensors of its format in the place of ``weight``.
    sha256 : str
        Of that file.
    layers : dict
        Name -> SavedLayer, for every SparseLinear.
    tied : dict
        state_dict key -> the key that holds the same memory and is in the file.
    architecture : Architecture or None
        For models of ``transformers``.
    """

    __pydantic_config__ = STRICT

    model_class: str
    tensors: str
    sha256: str
    layers: dict[str, SavedLayer]
    tied: dict[str, str]
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
    content = read_json(path)
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ValueError(f'{path}: expected an object with "format": "{FORMAT}".')
    if (version := content.pop("version", None)) != VERSION:
        raise ValueError(f"{path}: version is {version!r}; this library reads {VERSION}.")
    manifest = read_record(Manifest, content, str(path))
    if Path(manifest.tensors).name != manifest.tensors:
        raise ValueError(f"{path}: tensors is {manifest.tensors!r}, expected a file name without a folder.")
    return manifest

"""Named tensors as safetensors files, whole or absent."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from tamis.storage.beside import part_for, publish, written_beside
from tamis.storage.fingerprints import sha256_of_file


def write_tensors(
    path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named tensors, from any device, and strings about them.

    Raises
    ------
    RuntimeError   if two of them share memory.
    """
    with written_beside(path) as part:
        _save(part, tensors, metadata)


def write_tensors_named_by_content(folder: Path, stem: str, tensors: Mapping[str, Tensor]) -> tuple[str, str]:
    """Write ``STEM-<16 digits of its SHA-256>.safetensors`` and return its name and its whole SHA-256.

    Since another content has another name, a file that is still in use is never replaced.
    """
    with part_for(folder / stem) as part:
        _save(part, tensors, None)
        sha256 = sha256_of_file(part)
        name = f"{stem}-{sha256[:16]}.safetensors"
        publish(part, folder / name)
    return name, sha256


def read_tensors(path: str | Path, *, where: str = "") -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read all tensors of a file, and its strings.

    Returns
    -------
    tensors : dict
        On the CPU. They may live in the mapped file: clone those that must outlive or outlast a change of it.
    metadata : dict

    Raises
    ------
    OSError      if the file cannot be read.
    ValueError   starting with ``where`` (default: the path), if it is no whole safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    with Path(path).open("rb"):
        pass  # a missing or unreadable file is an OSError, not a bad file
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{where or path}: damaged: not a whole safetensors file: {error}.") from None


def _save(part: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None) -> None:
    from safetensors.torch import save_file

    part.touch()
    mode = part.stat().st_mode  # what the caller's umask allows; save_file would let nobody else read
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(ready, part, dict(metadata) if metadata else None)
    part.chmod(mode)

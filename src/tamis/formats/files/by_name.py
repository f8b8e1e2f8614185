"""Matrices as files, by the ending of the name: safetensors out and in; .smtx and Matrix Market in."""

from collections.abc import Callable
from pathlib import Path

from tamis.formats.files.lines import COMPRESSED
from tamis.formats.files.matrix_market import read_matrix_market
from tamis.formats.files.record import from_record, to_record
from tamis.formats.files.smtx import read_smtx
from tamis.formats.matrix import SparseMatrix
from tamis.storage import read_tensors, write_tensors


def save(a: SparseMatrix, path: str | Path) -> None:
    """Write a matrix as a safetensors file, complete or not at all.

    Parameters
    ----------
    a : CSR, BSR, NM or Bitmap
    path : str or Path
        Ends in .safetensors.

    Examples
    --------
    >>> a = tamis.CSR.from_dense(torch.eye(3))
    >>> tamis.save(a, "eye.safetensors")
    >>> tamis.load("eye.safetensors").nnz
    3
    """
    path = Path(path)
    if not isinstance(a, SparseMatrix):
        raise TypeError(f"save(a, path): a must be CSR, BSR, NM or Bitmap, but is {type(a).__name__}.")
    if path.suffix.lower() != ".safetensors":
        raise ValueError(f"save(a, path): path must end in .safetensors, but is {str(path)!r}.")
    write_tensors(path, *to_record(a))


def load(path: str | Path) -> SparseMatrix:
    """Read a matrix from a file, and check it before it is believed.

    Parameters
    ----------
    path : str or Path
        ``.safetensors`` written by :func:`save`; ``.smtx`` (a pattern: values are ones), ``.mtx`` or ``.mm`` (Matrix
        Market), which become CSR with float32 values and may be compressed (``.gz``, ``.bz2``). Capitals are the same.

    Returns
    -------
    CSR, BSR, NM or Bitmap on the CPU; it does not share memory with the file.

    Raises
    ------
    ValueError
        Naming the line or field, if the file is truncated, foreign or inconsistent.

    Examples
    --------
    >>> tamis.save(tamis.CSR.from_dense(torch.eye(3)), "eye.safetensors")
    >>> torch.equal(tamis.load("eye.safetensors").to_dense(), torch.eye(3))
    True
    """
    path = Path(path)
    name = Path(path.name.lower())
    ending = name.with_suffix("").suffix if name.suffix in COMPRESSED else name.suffix
    if ending not in _READERS:
        raise ValueError(
            f"load(path): expected a name that ends in {', '.join(_READERS)} (text may have .gz or .bz2 behind it), "
            f"but got {str(path)!r}."
        )
    return _READERS[ending](path)


def _read_safetensors(path: Path) -> SparseMatrix:
    call = f"load({str(path)!r})"
    tensors, metadata = read_tensors(path, where=call)
    # Copies: these tensors may live in the mapped file, and would die with it.
    return from_record(call, {name: tensor.clone() for name, tensor in tensors.items()}, metadata)


_READERS: dict[str, Callable[[Path], SparseMatrix]] = {
    ".safetensors": _read_safetensors,
    ".smtx": read_smtx,
    ".mtx": read_matrix_market,
    ".mm": read_matrix_market,
}

"""Matrices as files: safetensors out and in; .smtx and Matrix Market in.

A saved matrix is a safetensors file whose tensors are the fields of the class and whose metadata say the rest:
``tamis.format``, ``tamis.version``, ``tamis.shape``, and for NM ``tamis.n`` and ``tamis.m``.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tamis.formats.bitmap import Bitmap
from tamis.formats.bsr import BSR
from tamis.formats.csr import CSR
from tamis.formats.matrix import SparseMatrix
from tamis.formats.matrix_market import read_matrix_market
from tamis.formats.nm import NM
from tamis.formats.smtx import read_smtx
from tamis.storage import read_tensors, write_tensors

VERSION = "1"
_FORMATS: dict[str, type[SparseMatrix]] = {"CSR": CSR, "BSR": BSR, "NM": NM, "Bitmap": Bitmap}
_FIELDS = {
    "CSR": {"crow_indices": torch.int32, "col_indices": torch.int32},
    "BSR": {"crow_indices": torch.int32, "col_indices": torch.int32},
    "NM": {"indices": torch.uint8},
    "Bitmap": {"bitmap": torch.uint8, "crow_indices": torch.int32},
}


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
    if path.suffix != ".safetensors":
        raise ValueError(f"save(a, path): path must end in .safetensors, but is {str(path)!r}.")
    write_tensors(path, *to_record(a))


def load(path: str | Path) -> SparseMatrix:
    """Read a matrix from a file, and check it before it is believed.

    Parameters
    ----------
    path : str or Path
        ``.safetensors`` written by :func:`save`; ``.smtx`` (a pattern: values are ones) or ``.mtx`` (Matrix
        Market), which become CSR with float32 values.

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
    readers = {".safetensors": _read_safetensors, ".smtx": read_smtx, ".mtx": read_matrix_market}
    path = Path(path)
    if path.suffix not in readers:
        raise ValueError(
            f"load(path): expected a name that ends in {', '.join(readers)}, but got {str(path)!r}."
        )
    return readers[path.suffix](path)


def to_record(a: SparseMatrix) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata that stand for ``a`` in a safetensors file; the tensors are copies."""
    tensors = {name: tensor.detach().clone() for name, tensor in a.components().items()}
    metadata = {
        "tamis.format": type(a).__name__,
        "tamis.version": VERSION,
        "tamis.shape": json.dumps(a.shape),
    }
    if isinstance(a, NM):
        metadata |= {"tamis.n": str(a.n), "tamis.m": str(a.m)}
    return tensors, metadata


def from_record(call: str, tensors: dict[str, Tensor], metadata: dict[str, str]) -> SparseMatrix:
    """Build the matrix that ``tensors`` and ``metadata`` from outside stand for; the inverse of :func:`to_record`.

    Raises
    ------
    ValueError
        Starting with ``call`` and naming the metadata key or field that is missing, unknown or inconsistent.
    """
    name, keys = _format_and_numbers(call, metadata)
    dtypes: dict[str, torch.dtype | None] = {**_FIELDS[name], "values": None}
    for field in dtypes.keys() - tensors.keys():
        raise ValueError(f"{call}: field {field} of {name} is missing.")
    for field, tensor in tensors.items():
        if field not in dtypes and field != "row_scale":
            raise ValueError(f"{call}: field {field} is not one of {name}'s: {', '.join(sorted(dtypes))}.")
        if dtypes.get(field) not in (None, tensor.dtype):
            raise ValueError(f"{call}: field {field} has dtype {tensor.dtype}; expected {dtypes[field]}.")
    try:
        return _FORMATS[name](**tensors, **keys)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{call}: {error}") from None


def _format_and_numbers(call: str, metadata: dict[str, str]) -> tuple[str, dict[str, Any]]:
    name = metadata.get("tamis.format")
    if name is None:
        raise ValueError(
            f"{call}: metadata key tamis.format is missing; the file was not written by tamis.save."
        )
    if name not in _FORMATS:
        raise ValueError(f"{call}: tamis.format is {name!r}; expected one of {', '.join(_FORMATS)}.")
    version = metadata.get("tamis.version")
    if version != VERSION:
        raise ValueError(f"{call}: tamis.version is {version!r}; this library reads {VERSION!r}.")
    numbers = {"shape": _number(call, metadata, "tamis.shape", list)}
    if name == "NM":
        numbers |= {key: _number(call, metadata, f"tamis.{key}", int) for key in ("n", "m")}
    return name, numbers


def _number(call: str, metadata: dict[str, str], key: str, kind: type) -> Any:
    try:
        number = json.loads(metadata[key])
    except KeyError:
        raise ValueError(f"{call}: metadata key {key} is missing.") from None
    except (ValueError, RecursionError):
        raise ValueError(
            f"{call}: metadata key {key} is {metadata[key][:40]!r}, which is not a number."
        ) from None
    if type(number) is not kind:
        raise ValueError(f"{call}: metadata key {key} is {metadata[key][:40]!r}; expected {kind.__name__}.")
    return number


def _read_safetensors(path: Path) -> SparseMatrix:
    call = f"load({str(path)!r})"
    tensors, metadata = read_tensors(path, where=call)
    # Copies: these tensors may live in the mapped file, and would die with it.
    return from_record(call, {name: tensor.clone() for name, tensor in tensors.items()}, metadata)

"""A matrix as named tensors and metadata, which is what a safetensors file holds.

The tensors are the fields of the class, the metadata say the rest:
``tamis.format``, ``tamis.version``, ``tamis.shape``, and for NM ``tamis.n`` and ``tamis.m``.
"""

import json
from typing import Any

import torch
from torch import Tensor

from tamis.formats.bitmap import Bitmap
from tamis.formats.bsr import BSR
from tamis.formats.csr import CSR
from tamis.formats.matrix import SparseMatrix
from tamis.formats.nm import NM

VERSION = "1"
_FORMATS: dict[str, type[SparseMatrix]] = {"CSR": CSR, "BSR": BSR, "NM": NM, "Bitmap": Bitmap}
_FIELDS = {
    "CSR": {"crow_indices": torch.int32, "col_indices": torch.int32},
    "BSR": {"crow_indices": torch.int32, "col_indices": torch.int32},
    "NM": {"indices": torch.uint8},
    "Bitmap": {"bitmap": torch.uint8, "crow_indices": torch.int32},
}


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

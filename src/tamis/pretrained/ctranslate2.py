"""Reader of CTranslate2's ``model.bin``, as far as Whisper needs it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

VERSION, SPEC = 6, "WhisperSpec"
DTYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}


def read_ctranslate2(path: str | Path) -> dict[str, np.ndarray]:
    """All tensors of a CTranslate2 ``model.bin``, by the names in the file.

    Layout, little endian: version (u32), spec name, revision (u32), number of tensors (u32); then for each a name, rank
    (u8), sizes (u32 each), dtype (u8) and bytes (u32 count, data); then aliases. A string is its length (u16) with the
    closing zero counted.

    Raises
    ------
    ValueError   if the file is truncated, of another version or spec, or holds an unknown dtype.
    """
    path = Path(path)
    with path.open("rb") as file:
        (version,) = read_struct(file, "<I", path)
        spec = read_string(file, path) if version == VERSION else ""
        if spec != SPEC:
            raise ValueError(
                f"read_ctranslate2({path.name}): expected version {VERSION} and spec {SPEC!r}, "
                f"but the file says version {version} and spec {spec!r}."
            )
        _, count = read_struct(file, "<II", path)
        return dict(read_tensor(file, path) for _ in range(count))


def read_tensor(file: BinaryIO, path: Path) -> tuple[str, np.ndarray]:
    name = read_string(file, path)
    (rank,) = read_struct(file, "<B", path)
    shape = read_struct(file, f"<{rank}I", path)
    dtype, size = read_struct(file, "<BI", path)
    if dtype not in DTYPES:
        raise ValueError(f"read_ctranslate2({path.name}): tensor {name!r} has unknown dtype code {dtype}.")
    data = read_exactly(file, size, path)
    values = np.frombuffer(data, DTYPES[dtype])
    if values.size != np.prod(shape, dtype=np.int64):
        raise ValueError(f"read_ctranslate2({path.name}): tensor {name!r} of shape {shape} has {size} bytes.")
    return name, values.reshape(shape)


def read_struct(file: BinaryIO, layout: str, path: Path) -> tuple[int, ...]:
    return struct.unpack(layout, read_exactly(file, struct.calcsize(layout), path))


def read_string(file: BinaryIO, path: Path) -> str:
    (length,) = read_struct(file, "<H", path)
    return read_exactly(file, length, path).rstrip(b"\0").decode("utf-8", errors="replace")


def read_exactly(file: BinaryIO, size: int, path: Path) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError(
            f"read_ctranslate2({path.name}): the file ends early, {size - len(data)} bytes missing."
        )
    return data

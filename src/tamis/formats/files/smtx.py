"""The .smtx text format of the Deep Learning Matrix Collection: the pattern of a matrix, without values.

Three lines: ``rows, columns, nnz``; rows + 1 row offsets; nnz column indices, 0-based. A matrix without entries has an
empty third line.
"""

from array import array
from pathlib import Path

import torch
from torch import Tensor

from tamis.formats import invariants
from tamis.formats.csr import CSR
from tamis.formats.files.lines import opened
from tamis.formats.matrix import SparseMatrix
from tamis.storage import write_text

_NUMBER_BYTES = b"0123456789- \t\r"


def read_smtx(path: str | Path, *, seed: int | None = None, dtype: torch.dtype = torch.float32) -> CSR:
    """Read a pattern; its values are ones, or standard normal numbers from ``seed``.

    Parameters
    ----------
    path : str or Path
        May be compressed with gzip or bzip2.
    seed : int, optional
    dtype : torch.dtype

    Raises
    ------
    ValueError
        Naming the line, if the file is not a pattern of distinct columns in ascending or any order.
    """
    call = f"read_smtx({str(path)!r})"
    with opened(call, Path(path)) as file:
        lines = file.read().rstrip().split(b"\n")
    if len(lines) > 3:
        raise ValueError(f"{call}: line 4: expected the end of the file, after three lines.")
    rows, columns, nnz = _header(call, lines[0])
    offsets = _integers(f"{call}: line 2", lines[1] if len(lines) > 1 else b"", rows + 1, "row offsets")
    indices = _integers(f"{call}: line 3", lines[2] if len(lines) > 2 else b"", nnz, "column indices")
    invariants.check_pointers(f"{call}: line 2", "row offsets", offsets, rows, nnz)
    try:
        return CSR.from_unsorted(
            offsets, indices, _values(nnz, seed, dtype), (rows, columns), duplicates="error"
        )
    except ValueError as error:
        raise ValueError(f"{call}: line 3: {error}") from None


def write_smtx(a: SparseMatrix, path: str | Path) -> None:
    """Write the pattern of the stored entries of ``a`` (of its CSR form) as .smtx, whole or not at all; values are not kept."""
    csr = a.to_csr()
    offsets, indices = (" ".join(map(str, part.tolist())) for part in (csr.crow_indices, csr.col_indices))
    write_text(path, f"{csr.shape[0]}, {csr.shape[1]}, {csr.nnz}\n{offsets}\n{indices}\n")


def _header(call: str, line: bytes) -> tuple[int, int, int]:
    numbers = _integers(
        f"{call}: line 1", line.replace(b",", b" "), 3, "numbers (rows, columns, nnz)"
    ).tolist()
    rows, columns = invariants.check_shape(f"{call}: line 1", numbers[:2])
    if not 0 <= numbers[2] <= min(rows * columns, invariants.INT32_MAX):
        raise ValueError(f"{call}: line 1: a matrix of {rows} x {columns} cannot have {numbers[2]} entries.")
    return rows, columns, numbers[2]


def _integers(call: str, line: bytes, count: int, what: str) -> Tensor:
    strange = line.translate(None, _NUMBER_BYTES)
    if strange:
        raise ValueError(
            f"{call}: expected integers, but found {strange[:1].decode('ascii', 'backslashreplace')!r}."
        )
    words = line.split()
    if len(words) != count:
        raise ValueError(
            f"{call}: expected {count} {what}, but found {len(words)}; the file may be truncated."
        )
    try:
        numbers = array("q", map(int, words))
    except (ValueError, OverflowError):
        raise ValueError(f"{call}: not every word is an integer of at most 64 bits.") from None
    return (
        torch.frombuffer(numbers, dtype=torch.int64)
        if numbers
        else torch.empty(0, dtype=torch.int64, device="cpu")
    )


def _values(count: int, seed: int | None, dtype: torch.dtype) -> Tensor:
    if seed is None:
        return torch.ones(count, dtype=dtype)
    return torch.randn(count, generator=torch.Generator().manual_seed(seed)).to(dtype)

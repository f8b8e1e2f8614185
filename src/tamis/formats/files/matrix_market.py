"""Matrix Market files (.mtx) in.

A banner, comments, a line of sizes, then one entry a line: ``row column value`` with 1-based indices ("coordinate"), or
values in column-major order ("array"). The body is parsed by csrc/text_entries.cpp: scipy's parser is as fast, but
malformed numbers crash the process in it (scipy issue 19949).
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from tamis.formats import invariants
from tamis.formats.csr import CSR
from tamis.formats.files.lines import blocks_of_lines, next_line, opened

_ROWS_FOR_FREE = 2**22
_ROWS_PER_BYTE = 16
_FIELDS = ("real", "double", "integer", "unsigned-integer", "pattern")
# What an entry says of its mirror image (EntryRules::Mirror); a Hermitian matrix of real numbers is symmetric.
_SYMMETRIES = {"general": 0, "symmetric": 1, "hermitian": 1, "skew-symmetric": 2}


@dataclass(frozen=True)
class _Header:
    layout: str
    field: str
    symmetry: str
    rows: int
    columns: int
    entries: int
    line: int


def read_matrix_market(path: str | Path, *, dtype: torch.dtype = torch.float32) -> CSR:
    """Read a Matrix Market file of real, integer or pattern values (pattern: ones), coordinate or array.

    Symmetric storage is expanded, duplicates are summed, explicit zeros of coordinate files stay. Fortran's exponents
    (``1.0D+03``) are read, and files compressed with gzip or bzip2.

    Parameters
    ----------
    path : str or Path
    dtype : torch.dtype
        The file's decimal numbers are rounded to it.

    Raises
    ------
    OSError      if the file cannot be read.
    ValueError   naming the line that is wrong.
    """
    call, path = f"read_matrix_market({str(path)!r})", Path(path)
    with opened(call, path) as file:
        header = _read_header(call, file, path.stat().st_size)
        entries = _read_body(call, file, header)
    if header.layout == "array":
        return CSR.from_dense(_dense(entries, header).to(dtype))
    return _from_coordinates(call, entries, header).to(dtype)


def _read_header(call: str, file: IO[bytes], size: int) -> _Header:
    banner = next_line(call, file).removeprefix(b"\xef\xbb\xbf").decode("ascii", "replace").lower().split()
    if len(banner) != 5 or banner[:2] != ["%%matrixmarket", "matrix"]:
        raise ValueError(
            f"{call}: line 1: expected the banner %%MatrixMarket matrix LAYOUT FIELD SYMMETRY, "
            f"but found {' '.join(banner)[:40]!r}."
        )
    layout, field, symmetry = banner[2:]
    allowed = {layout: ("coordinate", "array"), field: _FIELDS, symmetry: tuple(_SYMMETRIES)}
    for word, choices in allowed.items():
        if word not in choices:
            raise ValueError(
                f"{call}: line 1: {word!r} is not supported; expected one of {', '.join(choices)}."
            )
    if (layout, field) == ("array", "pattern"):
        raise ValueError(f"{call}: line 1: an array has values, so its field cannot be 'pattern'.")
    number, text = next(_not_comments(call, file))
    sizes = _sizes(f"{call}: line {number}", text, 3 if layout == "coordinate" else 2, symmetry)
    if sizes[0] > max(_ROWS_FOR_FREE, _ROWS_PER_BYTE * size):
        raise ValueError(
            f"{call}: line {number} announces {sizes[0]} rows in a file of {size} bytes; "
            "their pointers would take far more memory than the file, so it is not believed."
        )
    return _Header(layout, field, symmetry, *sizes, line=number)


def _not_comments(call: str, file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Numbered lines after the banner, without comments and blank lines; at last the empty one at the file's end."""
    number = 2
    while text := next_line(call, file):
        if text.strip() and not text.lstrip().startswith(b"%"):
            yield number, text
        number += 1
    yield number, b""


def _sizes(call: str, text: bytes, count: int, symmetry: str) -> tuple[int, int, int]:
    words = text.split()
    if len(words) != count or not all(word.isdigit() and len(word) < 20 for word in words):
        raise ValueError(f"{call}: expected {count} sizes (rows, columns{', entries' * (count - 2)}).")
    rows, columns = invariants.check_shape(call, [int(word) for word in words[:2]])
    if symmetry != "general" and rows != columns:
        raise ValueError(f"{call}: a {symmetry} matrix is square, but this one is {rows} x {columns}.")
    if count == 3:
        return rows, columns, int(words[2])
    stored = {0: rows * columns, 1: rows * (rows + 1) // 2, 2: rows * (rows - 1) // 2}
    return rows, columns, stored[_SYMMETRIES[symmetry]]


def _read_body(call: str, file: IO[bytes], header: _Header) -> Any:
    """Return the ``TextEntries`` of all lines, as many as the header announces."""
    # torch is imported above, so its own libgomp is the one OpenMP runtime of the process.
    native = importlib.import_module("tamis._cpu")
    coordinates = header.layout == "coordinate"
    entries = native.TextEntries(
        rows=header.rows,
        columns=header.columns,
        indices=coordinates,
        value=header.field != "pattern",
        whole=header.field.endswith("integer"),
        nonnegative=header.field == "unsigned-integer",
        mirror=_SYMMETRIES[header.symmetry] if coordinates else 0,
        first_line=header.line + 1,
    )
    for lines in blocks_of_lines(call, file):
        try:
            entries.read(lines, threads=torch.get_num_threads())
        except ValueError as error:
            raise ValueError(f"{call}: {error}") from None
        if entries.lines > header.entries:
            break
    if entries.lines != header.entries:
        found = "more" if entries.lines > header.entries else f"{entries.lines}; it may be truncated"
        raise ValueError(
            f"{call}: line {header.line} announces {header.entries} entries, but the file has {found}."
        )
    return entries


def _from_coordinates(call: str, entries: Any, header: _Header) -> CSR:
    invariants.check_count(call, "the file", entries.count)
    pointers = torch.empty(header.rows + 1, dtype=torch.int32, device="cpu")
    columns = torch.empty(entries.count, dtype=torch.int32, device="cpu")
    values = torch.empty(entries.count, dtype=torch.float64, device="cpu")
    left = entries.to_rows(
        crow=pointers.data_ptr(),
        col=columns.data_ptr(),
        values=values.data_ptr(),
        threads=torch.get_num_threads(),
    )
    if left < len(columns):
        columns, values = columns[:left].clone(), values[:left].clone()
    return CSR(pointers, columns, values, (header.rows, header.columns))


def _dense(entries: Any, header: _Header) -> Tensor:
    values = torch.empty(entries.count, dtype=torch.float64, device="cpu")
    entries.values(values=values.data_ptr())
    if header.symmetry == "general":
        return values.view(header.columns, header.rows).T
    skew = header.symmetry == "skew-symmetric"
    columns, rows = torch.triu_indices(
        header.rows, header.columns, int(skew), device="cpu"
    )  # in the file's order
    dense = torch.zeros(header.rows, header.columns, dtype=torch.float64, device="cpu")
    dense[columns, rows] = -values if skew else values
    dense[rows, columns] = values
    return dense

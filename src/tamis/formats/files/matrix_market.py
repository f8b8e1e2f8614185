"""Matrix Market files (.mtx) in.

A banner, comments, a line of sizes, then one entry a line: ``row column value`` with 1-based indices ("coordinate"), or
values in column-major order ("array"). scipy has a faster reader, but malformed numbers crash the process in it
(scipy issue 19949); this one parses in chunks of lines, and looks for the bad line only when a chunk fails.
"""

import operator
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from tamis.formats import invariants
from tamis.formats.csr import CSR
from tamis.formats.files.text_numbers import tensor_from_array

_LINES_AT_ONCE = 65_536
_ROWS_FOR_FREE = 2**22
_ROWS_PER_BYTE = 16
_FIELDS = ("real", "double", "integer", "pattern")
_SYMMETRIES = ("general", "symmetric", "skew-symmetric")
_NUMBER_BYTES = b"0123456789+-.eEinfatyINFATY \t\r\n"


@dataclass(frozen=True)
class _Header:
    layout: str
    field: str
    symmetry: str
    rows: int
    columns: int
    entries: int
    line: int

    @property
    def words_each(self) -> int:
        """Words on a line of the body."""
        return (2 if self.layout == "coordinate" else 0) + (self.field != "pattern")


def read_matrix_market(path: str | Path, *, dtype: torch.dtype = torch.float32) -> CSR:
    """Read a Matrix Market file of real, integer or pattern values (pattern: ones), coordinate or array.

    Symmetric storage is expanded, duplicates are summed, explicit zeros of coordinate files stay.

    Parameters
    ----------
    path : str or Path
    dtype : torch.dtype
        The file's decimal numbers are rounded to it.

    Raises
    ------
    ValueError
        Naming the line that is wrong.
    """
    call = f"read_matrix_market({str(path)!r})"
    with Path(path).open("rb") as file:
        header = _read_header(call, file, Path(path).stat().st_size)
        rows, columns, values = _read_body(call, file, header)
    if header.layout == "array":
        columns, rows = _column_major(header)
    if header.symmetry != "general":
        rows, columns, values = _mirrored(rows, columns, values, header)
    shape = (header.rows, header.columns)
    if header.layout == "array":
        return CSR.from_dense(torch.zeros(shape, dtype=dtype).index_put((rows, columns), values.to(dtype)))
    return CSR.from_coo(rows, columns, values, shape).to(dtype)


def _read_header(call: str, lines: Iterator[bytes], size: int) -> _Header:
    banner = next(lines, b"").decode("ascii", "replace").lower().split()
    if len(banner) != 5 or banner[:2] != ["%%matrixmarket", "matrix"]:
        raise ValueError(f"{call}: line 1: expected the banner %%MatrixMarket matrix LAYOUT FIELD SYMMETRY.")
    layout, field, symmetry = banner[2:]
    allowed = {layout: ("coordinate", "array"), field: _FIELDS, symmetry: _SYMMETRIES}
    for word, choices in allowed.items():
        if word not in choices:
            raise ValueError(
                f"{call}: line 1: {word!r} is not supported; expected one of {', '.join(choices)}."
            )
    if (layout, field) == ("array", "pattern"):
        raise ValueError(f"{call}: line 1: an array has values, so its field cannot be 'pattern'.")
    numbered = ((number, text) for number, text in enumerate(lines, 2) if not _is_comment(text))
    number, text = next(numbered, (2, b""))
    sizes = _sizes(f"{call}: line {number}", text, 3 if layout == "coordinate" else 2, symmetry)
    if sizes[0] > max(_ROWS_FOR_FREE, _ROWS_PER_BYTE * size):
        raise ValueError(
            f"{call}: line {number} announces {sizes[0]} rows in a file of {size} bytes; "
            "their pointers would take far more memory than the file, so it is not believed."
        )
    return _Header(layout, field, symmetry, *sizes, line=number)


def _sizes(call: str, text: bytes, count: int, symmetry: str) -> tuple[int, int, int]:
    words = text.split()
    if len(words) != count or not all(word.isdigit() and len(word) < 20 for word in words):
        raise ValueError(f"{call}: expected {count} sizes (rows, columns{', entries' * (count - 2)}).")
    rows, columns = invariants.check_shape(call, [int(word) for word in words[:2]])
    if symmetry != "general" and rows != columns:
        raise ValueError(f"{call}: a {symmetry} matrix is square, but this one is {rows} x {columns}.")
    if count == 3:
        return rows, columns, int(words[2])
    stored = {
        "general": rows * columns,
        "symmetric": rows * (rows + 1) // 2,
        "skew-symmetric": rows * (rows - 1) // 2,
    }
    return rows, columns, stored[symmetry]


def _read_body(call: str, lines: Iterator[bytes], header: _Header) -> tuple[Tensor, Tensor, Tensor]:
    """Return 0-based rows and columns (empty for an array) and float64 values, as the file has them."""
    rows, columns, values = array("q"), array("q"), array("d")
    number = header.line + 1
    while (chunk := list(islice(lines, _LINES_AT_ONCE))) and len(values) <= header.entries:
        try:
            parts = _parse([text for text in chunk if not text.isspace()], header)
        except (ValueError, OverflowError):
            raise ValueError(f"{call}: {_first_fault(number, chunk, header)}") from None
        rows += parts[0]
        columns += parts[1]
        values += parts[2]
        number += len(chunk)
    if len(values) != header.entries:
        raise ValueError(
            f"{call}: line {header.line} announces {header.entries} entries, but the file has "
            f"{'more' if len(values) > header.entries else f'{len(values)}; it may be truncated'}."
        )
    return tensor_from_array(rows) - 1, tensor_from_array(columns) - 1, tensor_from_array(values)


def _parse(texts: list[bytes], header: _Header) -> "tuple[array[int], array[int], array[float]]":
    text, words_each = b"".join(texts), header.words_each
    if text.translate(None, _NUMBER_BYTES) or not {words_each}.issuperset(map(len, map(bytes.split, texts))):
        raise ValueError(f"expected {words_each} numbers")
    words = text.split()
    values = array(
        "d",
        [1.0] * len(texts) if header.field == "pattern" else map(float, words[words_each - 1 :: words_each]),
    )
    if header.layout == "array":
        return array("q"), array("q"), values
    rows, columns = (array("q", map(int, words[place::words_each])) for place in (0, 1))
    for name, indices, size in (("row", rows, header.rows), ("column", columns, header.columns)):
        if indices and not 1 <= min(indices) <= max(indices) <= size:
            raise ValueError(f"expected a {name} in 1..{size}")
    if header.symmetry == "skew-symmetric" and any(map(operator.eq, rows, columns)):
        raise ValueError("expected no entry on the diagonal of a skew-symmetric matrix")
    return rows, columns, values


def _first_fault(number: int, chunk: list[bytes], header: _Header) -> str:
    for text in chunk:
        try:
            _parse([] if text.isspace() else [text], header)
        except (ValueError, OverflowError) as error:
            found = text[:40].decode("ascii", "backslashreplace").strip()
            return f"line {number}: {error}, but found {found!r}."
        number += 1
    raise AssertionError("a chunk failed, but none of its lines")


def _column_major(header: _Header) -> tuple[Tensor, Tensor]:
    """Return the (columns, rows) of the values of an array file, in its order."""
    if header.symmetry == "general":
        places = torch.arange(header.entries)
        return places // max(header.rows, 1), places % max(header.rows, 1)
    offset = 0 if header.symmetry == "symmetric" else 1
    columns, rows = torch.triu_indices(header.rows, header.columns, offset)
    return columns, rows


def _mirrored(
    rows: Tensor, columns: Tensor, values: Tensor, header: _Header
) -> tuple[Tensor, Tensor, Tensor]:
    off = rows != columns
    reflected = values[off] if header.symmetry == "symmetric" else -values[off]
    return torch.cat([rows, columns[off]]), torch.cat([columns, rows[off]]), torch.cat([values, reflected])


def _is_comment(text: bytes) -> bool:
    return text.startswith(b"%") or text.isspace()

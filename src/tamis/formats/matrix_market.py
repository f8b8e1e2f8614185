"""Matrix Market files (.mtx), read by scipy."""

from pathlib import Path

import torch

from tamis.formats.csr import CSR
from tamis.formats.interchange import scipy_sparse


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
        Naming the line or the header field that is wrong.
    ModuleNotFoundError
        Without scipy.
    """
    call = f"read_matrix_market({str(path)!r})"
    scipy_sparse(call)
    from scipy.io import mminfo, mmread

    size = Path(path).stat().st_size
    try:
        rows, columns, entries, layout, field, _ = mminfo(path)
        _check_header(call, size, (rows, columns, entries), layout, field)
        matrix = mmread(path, spmatrix=False)
    except (ValueError, OverflowError, StopIteration, IndexError) as error:
        text = str(error)
        raise ValueError(
            text if text.startswith(call) else f"{call}: {text or 'the file is not complete'}."
        ) from None
    if layout == "array":
        return CSR.from_dense(torch.from_numpy(matrix).to(dtype))
    return CSR.from_scipy(matrix.astype("float64")).to(dtype)


def _check_header(call: str, size: int, counts: tuple[int, int, int], layout: str, field: str) -> None:
    """Refuse sizes that the file cannot hold, before memory is set aside for them."""
    if field not in ("real", "integer", "unsigned-integer", "pattern", "double"):
        raise ValueError(f"{call}: field {field!r} in line 1; expected real, integer or pattern.")
    rows, columns, entries = counts
    least = 4 if layout == "coordinate" else 2
    if rows < 0 or columns < 0 or not 0 <= entries * least <= size + 1:
        raise ValueError(
            f"{call}: the header announces {entries} entries of a {rows} x {columns} matrix, "
            f"which a file of {size} bytes cannot hold; it may be truncated."
        )

"""What a sparse matrix is: storage formats, their invariants, and the ways between them."""

from tamis.formats.bitmap import Bitmap
from tamis.formats.bsr import BSR
from tamis.formats.convert import convert
from tamis.formats.csr import CSR
from tamis.formats.files import (
    from_record,
    load,
    read_matrix_market,
    read_smtx,
    save,
    to_record,
    write_smtx,
)
from tamis.formats.layout import Layout
from tamis.formats.matrix import SparseMatrix
from tamis.formats.nm import NM
from tamis.formats.quantization import quantize_rows
from tamis.formats.row_statistics import RowStatistics
from tamis.formats.transposition import TransposedStructure

__all__ = [
    "BSR",
    "CSR",
    "NM",
    "Bitmap",
    "Layout",
    "RowStatistics",
    "SparseMatrix",
    "TransposedStructure",
    "convert",
    "from_record",
    "load",
    "quantize_rows",
    "read_matrix_market",
    "read_smtx",
    "save",
    "to_record",
    "write_smtx",
]

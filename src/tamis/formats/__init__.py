"""What a sparse matrix is: storage formats, their invariants, and the ways between them."""

from tamis.formats.bitmap import Bitmap
from tamis.formats.bsr import BSR
from tamis.formats.csr import CSR
from tamis.formats.nm import NM

__all__ = ["BSR", "CSR", "NM", "Bitmap"]

"""Face of csrc/kernels/spmm_csr.cpp."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tamis.kernels.cpu.native import native
from tamis.kernels.cpu.spmm_panels import call_panels


def spmm_csr(*operands: Any) -> Tensor:
    """C = A @ B for unstructured A, four rows with columns of their own at a time; operands as for :func:`call_panels`."""
    return call_panels(native().spmm_csr, *operands)

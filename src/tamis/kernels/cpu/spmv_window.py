"""Face of csrc/kernels/spmv_window.cpp."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tamis.kernels.cpu.native import native
from tamis.kernels.cpu.spmm_panels import call_panels


def spmv_window(*operands: Any) -> Tensor:
    """C = A @ B for unstructured A and few columns, values read as they are stored; operands as for :func:`call_panels`."""
    return call_panels(native().spmv_window, *operands)

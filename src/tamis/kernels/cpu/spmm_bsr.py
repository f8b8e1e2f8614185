"""Face of csrc/kernels/spmm_bsr.cpp."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tamis.kernels.cpu.native import native
from tamis.kernels.cpu.spmm_panels import call_panels


def spmm_bsr(*operands: Any) -> Tensor:
    """C = A @ B for A of column vectors or blocks, four rows that share their columns at a time; operands as for :func:`call_panels`."""
    return call_panels(native().spmm_bsr, *operands)

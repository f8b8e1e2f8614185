"""Sparse deep-learning inference for PyTorch: what matters stays, the zeros fall through."""

from tamis.formats import BSR, CSR, NM, Bitmap, load, save
from tamis.ops.spmm import linear, plan_spmm, spmm

__version__ = "0.1.0"

__all__ = ["BSR", "CSR", "NM", "Bitmap", "linear", "load", "plan_spmm", "save", "spmm"]

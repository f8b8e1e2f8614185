"""Modules over the ops."""

from tamis.nn.sparse_linear import PLANNED_N, FormatState, SparseLinear

__all__ = ["PLANNED_N", "FormatState", "SparseLinear"]

"""Modules over the sparse ops."""

from tamis.nn.sparse_linear import SparseLinear

__all__ = ["SparseLinear"]

"""Sparse convolution over a kernel map."""

from tamis.ops.sparse_conv.call import DATAFLOWS, Dataflow, dense_offsets, explain, sparse_conv
from tamis.ops.sparse_conv.cost import CPU_PRICES, predict

__all__ = ["CPU_PRICES", "DATAFLOWS", "Dataflow", "dense_offsets", "explain", "predict", "sparse_conv"]

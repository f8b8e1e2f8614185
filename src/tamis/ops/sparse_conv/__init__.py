"""Sparse convolution over a kernel map: what a user calls, the plan it runs by, and the table of kernels."""

from tamis.ops.sparse_conv.call import sparse_conv
from tamis.ops.sparse_conv.kernels import DATAFLOWS, KERNELS, WEIGHT_GRADIENTS
from tamis.ops.sparse_conv.plan import ConvPlan, Dataflow, kept_plan, plan_conv
from tamis.ops.sparse_conv.tune import tune_sparse_conv

__all__ = [
    "DATAFLOWS",
    "KERNELS",
    "WEIGHT_GRADIENTS",
    "ConvPlan",
    "Dataflow",
    "kept_plan",
    "plan_conv",
    "sparse_conv",
    "tune_sparse_conv",
]

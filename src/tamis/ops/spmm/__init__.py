"""SpMM, C = A @ B with A sparse: what a user calls, the plan it runs by, and the table of kernels."""

from tamis.ops.spmm.call import linear, linear_packed, spmm
from tamis.ops.spmm.kernels import KERNELS
from tamis.ops.spmm.measure import measure_candidates
from tamis.ops.spmm.plan import SpmmPlan, plan_spmm
from tamis.ops.spmm.tune import tune_spmm

__all__ = [
    "KERNELS",
    "SpmmPlan",
    "linear",
    "linear_packed",
    "measure_candidates",
    "plan_spmm",
    "spmm",
    "tune_spmm",
]

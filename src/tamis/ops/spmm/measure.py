"""Measured, not predicted: every kernel that can serve a matrix, and dense in both layouts, in one run."""

from __future__ import annotations

from torch import Tensor, mm, randn
from torch.nn import functional

from tamis.formats import SparseMatrix
from tamis.ops.spmm.call import spmm
from tamis.ops.spmm.plan import plan_spmm
from tamis.tuning import Call, time_interleaved


def measure_candidates(a: SparseMatrix, n: int, *, budget_s: float = 1.0) -> dict[str, float]:
    """Time ``spmm(a, b)`` with b (k, n) on each kernel that can serve, and the dense products; microseconds by name."""
    b = randn(a.shape[1], n).to(a.scaled_values().dtype)
    able = [c.kernel for c in plan_spmm(a, n).candidates if c.time_us is not None]
    calls = {name: _on_kernel(a, b, name) for name in able} | _dense(a.to_dense(), b)
    return {name: timing.median_us for name, timing in time_interleaved(calls, budget_s=budget_s).items()}


def _on_kernel(a: SparseMatrix, b: Tensor, kernel: str) -> Call:
    plan = plan_spmm(a, b.shape[1], kernel=kernel)
    return lambda: spmm(a, b, plan=plan)


def _dense(w: Tensor, b: Tensor) -> dict[str, Call]:
    x = b.T.contiguous()
    return {"dense mm": lambda: mm(w, b), "dense linear": lambda: functional.linear(x, w)}

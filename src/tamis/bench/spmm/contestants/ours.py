"""tamis as a contestant: always the plan that its chooser makes, never the best of its kernels."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

import tamis
from tamis.bench.measurement import Unavailable
from tamis.bench.spmm.contestants.prepared import Prepared, as_is, transposed
from tamis.bench.spmm.operands import Operands
from tamis.formats import BSR, CSR, NM, quantize_rows
from tamis.ops.spmm import SpmmPlan
from tamis.workloads import unit_shape

Format = CSR | BSR | NM


def tamis_spmm(operands: Operands, planned_n: int) -> Prepared:
    """``tamis.spmm(a, b, plan=plan)`` in the layout (k, n)."""
    a, b = in_format(operands.weight, operands.pattern), operands.b
    plan, pack_us = _planned(a, planned_n)
    return _prepared(lambda: tamis.spmm(a, b, plan=plan), as_is, a, plan, pack_us)


def tamis_linear(operands: Operands, planned_n: int) -> Prepared:
    """``tamis.linear(x, a, plan=plan)`` in the layout of ``nn.Linear``."""
    a, x = in_format(operands.weight, operands.pattern), operands.x
    plan, pack_us = _planned(a, planned_n)
    return _prepared(lambda: tamis.linear(x, a, plan=plan), transposed, a, plan, pack_us)


def tamis_bf16(operands: Operands, planned_n: int) -> Prepared:
    """A and B in bfloat16, summed in float32."""
    rounded = Operands.make(operands.weight.bfloat16(), operands.n, operands.pattern)
    a = in_format(rounded.weight, operands.pattern)
    plan, pack_us = _planned(a, planned_n)
    prepared = _prepared(lambda: tamis.spmm(a, rounded.b, plan=plan), as_is, a, plan, pack_us)
    return replace(prepared, rounded=rounded)


def tamis_int8(operands: Operands, planned_n: int) -> Prepared:
    """A in int8 with a scale per row, B in float32."""
    a = quantize_rows(in_format(operands.weight, operands.pattern))
    plan, pack_us = _planned(a, planned_n)
    prepared = _prepared(lambda: tamis.spmm(a, operands.b, plan=plan), as_is, a, plan, pack_us)
    return replace(prepared, rounded=Operands.make(a.to_dense(), operands.n, operands.pattern))


def on_kernel(kernel: str) -> Callable[[Operands, int], Prepared]:
    """``tamis.spmm`` on this kernel, whatever the chooser says: to see what the choice missed."""

    def prepare(operands: Operands, planned_n: int) -> Prepared:
        a, b = in_format(operands.weight, operands.pattern), operands.b
        try:
            plan = tamis.plan_spmm(a, planned_n, kernel=kernel)
        except NotImplementedError as reason:
            raise Unavailable(str(reason)) from reason
        return _prepared(lambda: tamis.spmm(a, b, plan=plan), as_is, a, plan, None)

    return prepare


def _prepared(
    run: Callable[[], Tensor],
    product: Callable[[Tensor], Tensor],
    a: Format,
    plan: SpmmPlan,
    pack_us: float | None,
) -> Prepared:
    return Prepared(
        run=run,
        product=product,
        stored=a.nnz,
        streamed_bytes=plan.streamed_bytes or a.nbytes,
        resident_bytes=a.nbytes + plan.nbytes,
        detail=f"{plan.kernel}: {plan.reason}",
        pack_us=pack_us,
        predicted_us=plan.time_us,
        predicted_crossover=plan.crossover,
    )


def in_format(weight: Tensor, pattern: str) -> Format:
    """Store a dense weight in the format that its pattern is made for."""
    if ":" in pattern:
        n, m = map(int, pattern.split(":"))
        return NM.from_dense(weight, n=n, m=m)
    blocksize = unit_shape(pattern)
    return CSR.from_dense(weight) if blocksize == (1, 1) else BSR.from_dense(weight, blocksize=blocksize)


def _planned(a: Format, n: int) -> tuple[SpmmPlan, float]:
    """Make a plan, and time it: the median of three in microseconds, each for a copy that no plan has seen.

    Values are packed at a plan's first call, so that one of a single column is part of the time.
    """
    column = torch.zeros(a.shape[1], 1, dtype=torch.float32 if a.row_scale is not None else a.dtype)
    seconds = []
    for _ in range(3):
        unseen = copy(a)
        start = perf_counter()
        tamis.spmm(unseen, column, plan=tamis.plan_spmm(unseen, n))
        seconds.append(perf_counter() - start)
    return tamis.plan_spmm(a, n), median(seconds) * 1e6

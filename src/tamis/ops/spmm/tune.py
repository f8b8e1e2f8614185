"""Measure what the cost model needs to know of this machine, in seconds. An act of the user, never a side effect."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import product
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional

from tamis.formats import BSR, CSR, SparseMatrix, quantize_rows
from tamis.kernels.cpu import isa
from tamis.ops.spmm.call import linear, spmm
from tamis.ops.spmm.cost import SpmmProblem
from tamis.ops.spmm.kernels import BY_NAME, KERNELS
from tamis.ops.spmm.plan import plan_spmm
from tamis.tuning import SHIPPED, Cell, Machine, Prices, fit_prices, threads_set, time_interleaved

SHAPES = ((256, 768), (1280, 384), (768, 1536))
SPARSITIES = (0.4, 0.65, 0.85, 0.93, 0.97)
COLUMNS = (16, 48, 96, 192, 384)
FEW_COLUMNS = (1, 2, 4, 8)
BLOCKS = {
    "cpu/spmm_bsr": (4, 1),
    "cpu/spmm_int8": (1, 4),
}  # that a kernel is made for, where not single values
DENSE_COLUMNS = (1, 4, 8, 16, 32, 64, 128, 256, 512)

Progress = Callable[[str, int, int], None]


def tune_spmm(progress: Progress = lambda what, done, total: None) -> Machine:
    """Measure prices of every kernel, the dense rates, and how threads add up; return this machine's constants."""
    threads = torch.get_num_threads()
    shipped = SHIPPED[isa()]
    with threads_set(1):
        call_us = _call_us()
        single = dataclasses.replace(shipped, call_us=call_us)
        kernels = {}
        for done, kernel in enumerate(KERNELS):
            progress(kernel.name, done, len(KERNELS) + 1)
            kernels[kernel.name] = _kernel_prices(kernel.name, single)
    progress("dense", len(KERNELS), len(KERNELS) + 1)
    efficiency = _thread_efficiency(threads)
    # With all threads, since a dense product of few columns may use one only.
    dense = tuple((n, _dense_gflops(1024, 1024, n) / (threads * efficiency)) for n in DENSE_COLUMNS)
    return dataclasses.replace(
        single,
        call_us=call_us + (_region_us() if threads > 1 else 0.0),
        thread_efficiency=efficiency,
        dense_gflops=dense,
        dense_bytes_per_ns=_dense_bytes_per_ns(),
        kernels=kernels,
        source="tuned on this machine",
    )


def _kernel_prices(kernel: str, machine: Machine) -> Prices:
    columns = FEW_COLUMNS if kernel == "cpu/spmv_window" else (1, *COLUMNS)
    cells = [
        _cell(a, n, kernel, machine)
        for (m, k), sparsity in product(SHAPES, SPARSITIES)
        for a in (_matrix(m, k, sparsity, BLOCKS.get(kernel, (1, 1))),)
        for n in columns
    ]
    return fit_prices(cells, machine.call_us * 1000)


def _cell(a: SparseMatrix, n: int, kernel: str, machine: Machine) -> Cell:
    if a.dtype == torch.int8:  # the kernel of activations in 8 bits has the layout of linear
        plan, x = plan_spmm(a, n, kernel=kernel, compute="int8"), torch.randn(n, a.shape[1])
        timed = time_interleaved({"ours": lambda: linear(x, a, plan=plan)}, budget_s=0.02)
    else:
        plan, b = plan_spmm(a, n, kernel=kernel), torch.randn(a.shape[1], n)
        timed = time_interleaved({"ours": lambda: spmm(a, b, plan=plan)}, budget_s=0.02)
    problem = SpmmProblem.of(a, n, machine, 1, plan.problem.compute)
    return Cell(BY_NAME[kernel].work(problem), timed["ours"].median_us * 1000)


def _matrix(m: int, k: int, sparsity: float, blocksize: tuple[int, int] = (1, 1)) -> SparseMatrix:
    """Uneven rows and columns, as in trained networks."""
    generator = torch.Generator().manual_seed(m + k)
    height, width = blocksize
    rows, columns = m // height, k // width
    scale = torch.exp(
        0.3 * torch.randn(rows, 1, generator=generator) + 0.3 * torch.randn(1, columns, generator=generator)
    )
    score = torch.randn(rows, columns, generator=generator).abs() * scale
    kept = score > score.flatten().kthvalue(max(1, int(sparsity * score.numel()))).values
    weight = kept.repeat_interleave(height, 0).repeat_interleave(width, 1).float()
    if blocksize == (1, 1):
        return CSR.from_dense(weight)
    blocks = BSR.from_dense(weight, blocksize=blocksize)
    return quantize_rows(blocks) if blocksize == BLOCKS["cpu/spmm_int8"] else blocks


def _call_us() -> float:
    """A call that has next to nothing to compute."""
    a, b = _matrix(8, 8, 0.5), torch.randn(8, 8)
    plan = plan_spmm(a, 8)
    return time_interleaved({"ours": lambda: spmm(a, b, plan=plan)}, budget_s=0.05)["ours"].median_us


def _region_us() -> float:
    """What the parallel region adds: two parts of next to nothing against one."""
    a, b = _matrix(64, 8, 0.9), torch.randn(8, 8)
    plan = plan_spmm(a, 8)
    both = time_interleaved({"ours": lambda: spmm(a, b, plan=plan)}, budget_s=0.05)["ours"].median_us
    return max(0.0, both - _call_us())


def _thread_efficiency(threads: int) -> float:
    """Speed of all threads over threads times one, on work that divides evenly."""
    if threads == 1:
        return 1.0
    a, b = _matrix(1024, 768, 0.8), torch.randn(768, 256)
    with threads_set(1):
        one = _time(a, b)
    return min(1.0, one / _time(a, b) / threads)


def _time(a: SparseMatrix, b: Tensor) -> float:
    plan = plan_spmm(a, b.shape[1])
    return time_interleaved({"ours": lambda: spmm(a, b, plan=plan)}, budget_s=0.1)["ours"].median_us


def _dense_gflops(m: int, k: int, n: int) -> float:
    w, b, x = torch.randn(m, k), torch.randn(k, n), torch.randn(n, k)
    layouts = {"mm": lambda: torch.mm(w, b), "linear": lambda: functional.linear(x, w)}
    times = [timing.median_us for timing in time_interleaved(layouts, budget_s=0.15).values()]
    return 2 * m * k * n / min(times) / 1000


def _dense_bytes_per_ns() -> float:
    """Matrix bytes read by dense products of few columns, out of cache, all threads."""
    w, x = torch.randn(8192, 4096), torch.randn(1, 4096)
    times = [
        time_interleaved({"mv": lambda: functional.linear(x, w)}, budget_s=0.05)["mv"].median_us
        for _ in range(3)
    ]
    return 4 * w.numel() / median(times) / 1000

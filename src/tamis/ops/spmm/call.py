"""SpMM: C = A @ B with A sparse. The choice of a kernel, and the public functions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tamis.formats import SparseMatrix
from tamis.kernels.cpu.native import native
from tamis.ops.spmm.checks import check_dense, check_epilogue, check_inner, check_matrix, check_plan
from tamis.ops.spmm.kernels import KERNELS, SpmmKernel, find
from tamis.ops.spmm.library import call_spmm
from tamis.ops.spmm.plan import Candidate, SpmmPlan, structure_tensors
from tamis.tuning.cost import Machine, dense_us
from tamis.tuning.machines import machine_for

__all__ = ["KERNELS", "linear", "plan_spmm", "spmm"]


def plan_spmm(a: SparseMatrix, n: int, *, kernel: str | None = None) -> SpmmPlan:
    """Choose a kernel for ``spmm(a, b)`` with b of n columns, and pack ``a`` for it.

    The plan serves every n correctly; it was chosen for this one.

    Parameters
    ----------
    a : CSR, BSR, NM or Bitmap, shape (m, k)
    n : int
        Columns of B, i.e. tokens for :func:`linear`.
    kernel : str, optional
        Take this kernel whatever the prediction; a name from ``tamis.ops.spmm.kernels.KERNELS``.

    Raises
    ------
    ValueError            if n is not positive or the kernel is unknown.
    NotImplementedError   if no kernel can serve ``a``; the message lists each and its reason.
    """
    call = "plan_spmm(a, n)"
    check_matrix(call, a)
    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
        raise ValueError(f"{call}: n is {n!r}, expected a whole number of columns, 0 or more.")
    threads = torch.get_num_threads()
    machine = machine_for(native().isa(), threads)
    candidates = tuple(_consider(k, a, n, machine, threads) for k in KERNELS)
    chosen, reason = _choose(call, a, candidates, kernel, machine)
    record = find(chosen.kernel)
    packed = record.pack(a, n, machine, threads)
    copy = torch.empty(packed.positions.numel(), dtype=a.dtype if record.keeps_dtype else torch.float32)
    dense = dense_us(machine, *a.shape, n, threads)
    return SpmmPlan(
        kernel=chosen.kernel,
        reason=reason,
        n=n,
        threads=threads,
        a=repr(a),
        time_us=chosen.time_us or 0.0,
        dense_time_us=dense,
        crossover=_crossover(record, a, n, machine, threads),
        candidates=candidates,
        sizes=packed.sizes,
        packed=[*packed.tensors, copy],
        structure=a._structure_memo,
        indices=structure_tensors(a),
    )


def spmm(
    a: SparseMatrix,
    b: Tensor,
    *,
    plan: SpmmPlan | None = None,
    bias: Tensor | None = None,
    activation: str | None = None,
) -> Tensor:
    """Sparse × dense matrix product, C = act(A @ B + bias[:, None]).

    Equivalent to ``a.to_dense() @ b``, in time proportional to nnz(A)·n instead of m·k·n. Differentiable in
    ``a.values``, ``b`` and ``bias``. Half-precision inputs are summed in float32. A plan gives the same bits for any number
    of threads. Panel kernels sum each row in the order of its columns, so with n > 1 neither the plan nor the instruction set
    matters (but for one that has no fused multiply-add); ``cpu/spmv_window``, and any kernel at n = 1, sums in several chains.

    Only stored entries take part: a NaN in row j of B reaches row i of C if and only if A stores (i, j).

    Parameters
    ----------
    a : CSR, BSR, NM or Bitmap, shape (m, k)
        Left factor. Rows may be empty.
    b : Tensor, shape (k, n)
        Right factor, same dtype and device as ``a.values`` (any float dtype if those are int8).
    plan : SpmmPlan, optional
        From :func:`plan_spmm`. Give it when the same ``a`` meets many ``b``; without it a plan is kept on ``a`` itself.
    bias : Tensor, shape (m,), optional
        Added to every column.
    activation : {"relu", "gelu", "silu"}, optional
        Applied last; gelu is the exact one.

    Returns
    -------
    Tensor, shape (m, n), dtype and device of ``b``.

    Raises
    ------
    ValueError, TypeError   if shapes, dtypes, devices or plan do not fit together.
    NotImplementedError     if no kernel covers them; the message lists each candidate and its reason.

    References
    ----------
    [1] Gale, Zaharia, Young, Elsen. Sparse GPU Kernels for Deep Learning. SC 2020.
    [2] Wilkinson, Cheshmi, Dehnavi. Register Tiling for Unstructured Sparsity in Neural Network Inference. PLDI 2023.
    """
    call = "spmm(a, b)"
    check_matrix(call, a)
    check_dense(call, "b", b, a)
    if b.ndim != 2:
        raise ValueError(f"{call}: b has shape {tuple(b.shape)}, expected two sizes, (k, n).")
    check_inner(call, "b", b.shape[0], b, a)
    check_epilogue(call, a, bias, activation)
    plan = _plan_for(call, a, b.shape[1], plan)
    return run_plan(plan, a, b, bias, activation, by_rows=False)


def linear(
    x: Tensor,
    a: SparseMatrix,
    bias: Tensor | None = None,
    *,
    plan: SpmmPlan | None = None,
    activation: str | None = None,
) -> Tensor:
    """Sparse linear layer, y = act(x @ Aᵀ + bias), for activations as :class:`torch.nn.Linear` has them.

    Equivalent to ``F.linear(x, a.to_dense(), bias)``. The transposes happen inside the kernel, a panel at a time.

    Parameters
    ----------
    x : Tensor, shape (..., k)
    a : CSR, BSR, NM or Bitmap, shape (m, k)
    bias : Tensor, shape (m,), optional
    plan : SpmmPlan, optional
        From ``plan_spmm(a, n)``, n being the product of the leading sizes of x.
    activation : {"relu", "gelu", "silu"}, optional

    Returns
    -------
    Tensor, shape (..., m), dtype and device of ``x``.

    Raises
    ------
    As :func:`spmm`.
    """
    call = "linear(x, a)"
    check_matrix(call, a)
    check_dense(call, "x", x, a)
    if x.ndim == 0:
        raise ValueError(f"{call}: x is a scalar, expected shape (..., {a.shape[1]}).")
    check_inner(call, "x", x.shape[-1], x, a)
    check_epilogue(call, a, bias, activation)
    rows = x.reshape(math.prod(x.shape[:-1]), a.shape[1])
    plan = _plan_for(call, a, rows.shape[0], plan)
    y = run_plan(plan, a, rows, bias, activation, by_rows=True)
    return y.view(*x.shape[:-1], a.shape[0])


def run_plan(
    plan: SpmmPlan, a: SparseMatrix, b: Tensor, bias: Tensor | None, activation: str | None, by_rows: bool
) -> Tensor:
    """Execute a plan on checked operands: b (n, k) -> (n, m) if ``by_rows``, else (k, n) -> (m, n)."""
    return call_spmm(
        a.values, a.row_scale, b, bias, plan.packed, plan.sizes, plan.kernel, activation, by_rows
    )


def _plan_for(call: str, a: SparseMatrix, n: int, plan: SpmmPlan | None) -> SpmmPlan:
    if plan is not None:
        check_plan(call, a, plan)
        return plan
    kept: SpmmPlan | None = a._memo.get("spmm_plan")
    if kept is None:
        a._memo["spmm_plan"] = kept = plan_spmm(a, n)
    return kept


def _consider(kernel: SpmmKernel, a: SparseMatrix, n: int, machine: Machine, threads: int) -> Candidate:
    if refusal := _refusal(kernel, a):
        return Candidate(kernel.name, refusal=refusal)
    return Candidate(kernel.name, kernel.time_us(a, a.density, n, machine, threads))


def _refusal(kernel: SpmmKernel, a: SparseMatrix) -> str | None:
    if a.device.type != "cpu":
        return f"a is on {a.device}, not on the CPU"
    if a.dtype == torch.float64:
        return "values are float64; kernels sum in float32"
    return kernel.refuses(a)


def _choose(
    call: str, a: SparseMatrix, candidates: tuple[Candidate, ...], kernel: str | None, machine: Machine
) -> tuple[Candidate, str]:
    if kernel is not None:
        named = next((c for c in candidates if c.kernel == kernel), None)
        if named is None:
            names = ", ".join(c.kernel for c in candidates)
            raise ValueError(f"{call}: there is no kernel {kernel!r}; there are {names}.")
        if named.time_us is None:
            raise NotImplementedError(f"{call}: {kernel} cannot serve {a!r}: {named.refusal}.")
        return named, "chosen by the caller"
    able = [c for c in candidates if c.time_us is not None]
    if not able:
        reasons = "\n".join(c.describe("") for c in candidates)
        raise NotImplementedError(f"{call}: no kernel can serve {a!r}:\n{reasons}")
    return min(able, key=lambda c: c.time_us or 0.0), f"cost model, {machine.source}"


def _crossover(kernel: SpmmKernel, a: SparseMatrix, n: int, machine: Machine, threads: int) -> float:
    """The sparsity from which the kernel is predicted to beat dense; 1 if never."""
    dense = dense_us(machine, *a.shape, n, threads)
    for percent in range(101):
        if kernel.time_us(a, 1 - percent / 100, n, machine, threads) < dense:
            return percent / 100
    return 1.0

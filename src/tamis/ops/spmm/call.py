"""SpMM: C = A @ B with A sparse. The functions that a user calls."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tamis.formats import SparseMatrix
from tamis.ops.autocast import AUTOCAST
from tamis.ops.spmm.checks import check_dense, check_epilogue, check_inner, check_matrix
from tamis.ops.spmm.library import run
from tamis.ops.spmm.plan import SpmmPlan, check_plan, plan_spmm


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
    ``a.values``, ``b`` and ``bias``. Half-precision inputs are summed in float32. Under ``torch.autocast`` the product is taken in
    the dtype of ``a`` and the result has autocast's, as that of ``torch.mm``. A plan gives the same bits for any number
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

    Examples
    --------
    >>> a = tamis.CSR.from_dense(torch.tensor([[0.0, 2.0], [1.0, 0.0]]))
    >>> tamis.spmm(a, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[6., 8.],
            [1., 2.]])

    References
    ----------
    [1] Gale, Zaharia, Young, Elsen. Sparse GPU Kernels for Deep Learning. SC 2020.
    [2] Wilkinson, Cheshmi, Dehnavi. Register Tiling for Unstructured Sparsity in Neural Network Inference. PLDI 2023.
    """
    call = "spmm(a, b)"
    check_matrix(call, a)
    plan = _plan_for(call, a, b, plan)
    autocast = (
        isinstance(b, Tensor)
        and b.dtype in AUTOCAST
        and not b.is_meta
        and torch.is_autocast_enabled(b.device.type)
    )
    if autocast:
        b = _for_autocast(b, a.values)
    check_dense(call, "b", b, a.values)
    if b.ndim != 2:
        raise ValueError(f"{call}: b has shape {tuple(b.shape)}, expected two sizes, (k, n).")
    check_inner(call, "b", b.shape[0], b, plan.problem)
    check_epilogue(call, plan.problem, bias, activation)
    values = plan.packed_values(a.values)
    c = run(plan.choice.kernel, plan.packed, values, a.row_scale, b, bias, activation, by_rows=False)
    return c.to(torch.get_autocast_dtype(b.device.type)) if autocast else c


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

    Examples
    --------
    >>> a = tamis.CSR.from_dense(torch.tensor([[0.0, 2.0], [1.0, 0.0]]))
    >>> tamis.linear(torch.tensor([1.0, -3.0]), a, activation="relu")
    tensor([0., 1.])
    """
    call = "linear(x, a)"
    check_matrix(call, a)
    plan = _plan_for(call, a, x, plan)
    return linear_packed(plan, plan.packed_values(a.values), a.row_scale, x, bias, activation)


def linear_packed(
    plan: SpmmPlan,
    values: Tensor,
    row_scale: Tensor | None,
    x: Tensor,
    bias: Tensor | None = None,
    activation: str | None = None,
) -> Tensor:
    """:func:`linear` on numbers that are in the plan's packed order already: what :class:`tamis.nn.SparseLinear` holds."""
    call = "linear(x, a)"
    autocast = (
        isinstance(x, Tensor)
        and x.dtype in AUTOCAST
        and not x.is_meta
        and torch.is_autocast_enabled(x.device.type)
    )
    if autocast:
        x = _for_autocast(x, values)
    check_dense(call, "x", x, values)
    m, k = plan.problem.shape
    if x.ndim == 0:
        raise ValueError(f"{call}: x is a scalar, expected shape (..., {k}).")
    check_inner(call, "x", x.shape[-1], x, plan.problem)
    check_epilogue(call, plan.problem, bias, activation)
    *leading, _ = x.shape
    rows = x.reshape(math.prod(leading), k)
    y = run(plan.choice.kernel, plan.packed, values, row_scale, rows, bias, activation, by_rows=True)
    y = y.view(*leading, m)
    return y.to(torch.get_autocast_dtype(x.device.type)) if autocast else y


def _for_autocast(b: Tensor, values: Tensor) -> Tensor:
    """As the product takes it: in the dtype of the weights; beside int8 in autocast's own."""
    return b.to(values.dtype if values.is_floating_point() else torch.get_autocast_dtype(b.device.type))


def _plan_for(call: str, a: SparseMatrix, b: Tensor, plan: SpmmPlan | None) -> SpmmPlan:
    if plan is not None:
        check_plan(call, a, plan)
        return plan
    kept: SpmmPlan | None = a._memo.get("spmm_plan")
    if kept is None:
        columns = math.prod(map(int, b.shape)) // max(a.shape[1], 1) if isinstance(b, Tensor) else 0
        a._memo["spmm_plan"] = kept = plan_spmm(a, columns)
    return kept

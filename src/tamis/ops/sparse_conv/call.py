"""Sparse convolution over a kernel map: the public function."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.kernels import Epilogue
from tamis.ops.autocast import AUTOCAST
from tamis.ops.kernel_map import KernelMap
from tamis.ops.sparse_conv.checks import check_call
from tamis.ops.sparse_conv.library import run
from tamis.ops.sparse_conv.plan import Dataflow, kept_plan


def sparse_conv(
    feats: Tensor,
    weight: Tensor,
    kernel_map: KernelMap,
    *,
    bias: Tensor | None = None,
    scale: Tensor | None = None,
    residual: Tensor | None = None,
    relu: bool = False,
    groups: int = 1,
    dataflow: Dataflow | None = None,
) -> Tensor:
    """Sparse convolution, ``Y[j] = act(scale * sum_k X[map[j, k]] @ W[k] + bias + residual[j])``.

    Rows are those of the coordinates that the map was made from. Half-precision features are summed in float32. Under
    ``torch.autocast`` features and weights are taken in its dtype, as torch's own convolutions take them. The order of
    summation of an output depends on nothing but its own neighbours: same bits on every run, for every thread count,
    and whatever else is in the batch. Differentiable in ``feats``, ``weight``, ``bias`` and ``residual``.

    Parameters
    ----------
    feats : Tensor, shape (kernel_map.in_rows, c_in)
    weight : Tensor, shape (kernel_volume, c_in // groups, c_out)
        Offsets in canonical order, x outermost and z innermost; dtype of ``feats``.
    kernel_map : KernelMap
    bias, scale : Tensor, shape (c_out,), optional
        ``scale`` is for folded batch norm at inference and has no gradient.
    residual : Tensor, shape (out_rows, c_out), optional
    relu : bool
    groups : int
        Channel groups; c_in = c_out = groups is a depthwise convolution.
    dataflow : optional
        One of DATAFLOWS; by default see :func:`plan_conv`. The plan of the first call is kept on the map.

    Returns
    -------
    Tensor, shape (kernel_map.out_rows, c_out), dtype of ``feats``.

    Raises
    ------
    ValueError            if shapes, dtypes or devices do not fit together, or the dataflow is unknown.
    NotImplementedError   if no kernel covers them; the message lists each candidate and its reason.
    """
    if feats.dtype in AUTOCAST and not feats.is_meta and torch.is_autocast_enabled(feats.device.type):
        dtype = torch.get_autocast_dtype(feats.device.type)
        feats, weight = feats.to(dtype), weight.to(dtype)
        residual = None if residual is None else residual.to(dtype)
    check_call(feats, weight, kernel_map, bias, scale, residual, groups)
    c_in, c_out = feats.shape[1], weight.shape[2]
    plan = kernel_map.plans.get((dataflow, c_in, c_out, groups))
    if plan is None or feats.dtype not in plan.choice.kernel.dtypes:
        plan = kept_plan(kernel_map, c_in, c_out, groups, feats.dtype, dataflow)
    if kernel_map.in_order is not None:
        feats = feats[kernel_map.in_order]
    if residual is not None and kernel_map.out_order is not None:
        residual = residual[kernel_map.out_order]
    out = run(plan.choice.kernel, plan.pairs, feats, weight, Epilogue(bias, scale, residual, relu), groups)
    return out if kernel_map.out_order is None else kernel_map.in_callers_order(out)

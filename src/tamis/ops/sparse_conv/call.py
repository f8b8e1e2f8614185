"""Sparse convolution over a kernel map: the public function, and the choice of a dataflow."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from tamis.kernels.cpu.native import ELEMENTS, native
from tamis.ops.kernel_map import KernelMap
from tamis.ops.sparse_conv import library  # noqa: F401 (defines torch.ops.tamis.sparse_conv)
from tamis.ops.sparse_conv.checks import check_call
from tamis.ops.sparse_conv.cost import CPU_PRICES, Prices, predict

Dataflow = Literal["output_stationary", "weight_stationary", "hybrid", "blocked"]
DATAFLOWS: tuple[Dataflow, ...] = ("blocked", "output_stationary", "weight_stationary", "hybrid")


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

    Rows are those of the coordinates that the map was made from. Half-precision features are summed in float32. The order of
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
        One of DATAFLOWS; by default the cost model's choice.

    Returns
    -------
    Tensor, shape (kernel_map.out_rows, c_out), dtype of ``feats``.
    """
    check_call(feats, weight, kernel_map, bias, scale, residual, groups)
    if dataflow is not None and dataflow not in DATAFLOWS:
        raise ValueError(f"sparse_conv(dataflow={dataflow!r}): expected one of {', '.join(DATAFLOWS)}.")
    if kernel_map.in_order is not None:
        feats = feats[kernel_map.in_order]
    if residual is not None and kernel_map.out_order is not None:
        residual = residual[kernel_map.out_order]
    out = torch.ops.tamis.sparse_conv(
        feats,
        weight,
        bias,
        scale,
        residual,
        kernel_map.first,
        kernel_map.second,
        kernel_map.lists,
        kernel_map.cuts,
        kernel_map.out_rows,
        groups,
        relu,
        dataflow if dataflow is not None else choose(feats.device, feats.dtype),
        dense_offsets(kernel_map, feats.shape[1], weight.shape[2]) if dataflow == "hybrid" else [],
    )
    return kernel_map.in_callers_order(out)


def choose(device: torch.device, dtype: torch.dtype) -> Dataflow:
    """The dataflow that runs when the caller names none: the one with a fast kernel for this device and dtype."""
    if device.type == "cpu" and dtype in ELEMENTS:
        return "blocked"
    raise NotImplementedError(
        f"sparse_conv(feats) of {dtype} on {device}: no fast kernel. blocked: CPU only, "
        f"{', '.join(str(known) for known in ELEMENTS)}. Name dataflow={DATAFLOWS[1:]} to run a reference implementation."
    )


def dense_offsets(kernel_map: KernelMap, c_in: int, c_out: int) -> list[int]:
    """Offsets that the hybrid dataflow runs output-stationary: the cheapest split by L1 class."""
    return predict(kernel_map, c_in, c_out, _prices()).dense_offsets


def explain(kernel_map: KernelMap, c_in: int, c_out: int, dataflow: Dataflow | None) -> str:
    """One line on a layer: pairs, density per L1 class, what runs, and the predicted time of every dataflow."""
    shares = " ".join(f"{share:.2f}" for share in kernel_map.density_by_l1().values())
    found = predict(kernel_map, c_in, c_out, _prices(), torch.get_num_threads()).milliseconds
    runs = dataflow or "blocked"
    why = "as asked" if dataflow else "the only fast kernel here, and the cheapest by prediction"
    if not dataflow and min(found, key=lambda name: found[name]) != runs:
        why = "the only fast kernel here"
    times = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    return f"{kernel_map.pairs} pairs, density by L1 {shares}; runs {runs} ({why}); predicted ms: {times}"


def _prices() -> Prices:
    return CPU_PRICES.get(native().isa(), CPU_PRICES["baseline"])

"""Pooling over a kernel map, over whole scenes, and over the points of a voxel."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.kernels import OUTPUT_FIRST, PairLists, Reduction, reference
from tamis.ops.kernel_map import KernelMap
from tamis.ops.observed import observed
from tamis.ops.sparse_pool.library import run

FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def sparse_pool(feats: Tensor, kernel_map: KernelMap, reduce: Reduction = "max") -> Tensor:
    """Reduce the neighbours of every output; missing neighbours do not count. Differentiable in ``feats``.

    Sums and means are taken in float64 and rounded once. Equal maxima share the gradient.

    Parameters
    ----------
    feats : Tensor, shape (kernel_map.in_rows, channels), float32, bfloat16, float16 or float64
    kernel_map : KernelMap
    reduce : "max", "mean" or "sum"

    Returns
    -------
    Tensor, shape (kernel_map.out_rows, channels). An output without neighbours is 0.

    Raises
    ------
    ValueError   if the shape or dtype of ``feats`` does not fit, or for another ``reduce``.
    """
    _check(feats, reduce)
    if len(feats) != kernel_map.in_rows:
        raise ValueError(
            f"sparse_pool(feats, kernel_map): the map has {kernel_map.in_rows} input rows, but feats has shape "
            f"{tuple(feats.shape)}. Was the map made for another set of voxels?"
        )
    if kernel_map.in_order is not None:
        feats = feats[kernel_map.in_order]
    return kernel_map.in_callers_order(run(kernel_map.pair_lists, feats, reduce))


def global_pool(feats: Tensor, batch_rows: Tensor, scenes: int, reduce: Reduction = "max") -> Tensor:
    """Reduce all voxels of each scene, shape (scenes, channels), sums in float64. A scene without voxels is 0.

    Parameters
    ----------
    feats : Tensor, shape (rows, channels)
    batch_rows : Tensor, shape (rows,), int64
        Scene of each row, below ``scenes``.
    """
    _check(feats, reduce)
    if observed(feats):  # no look at the values: a tracer could not follow
        return reference.reduce_rows(feats, batch_rows, scenes, reduce)
    if bool((batch_rows[1:] < batch_rows[:-1]).any()):
        batch_rows, order = batch_rows.sort(stable=True)
        feats = feats.index_select(0, order)
    return _reduce_ascending(feats, batch_rows, scenes, reduce)


def merge_rows(feats: Tensor, order: Tensor, segment: Tensor, count: int, reduce: Reduction) -> Tensor:
    """Reduce rows that became one, sums in float64; differentiable in ``feats``.

    Parameters
    ----------
    feats : Tensor, shape (rows, channels)
    order : Tensor, shape (rows,), int64
        The rows, those of one target together.
    segment : Tensor, shape (rows,), int64
        The target of each of these, ascending.
    count : int
        Number of targets.

    Returns
    -------
    Tensor, shape (count, channels), dtype of ``feats``
    """
    _check(feats, reduce)
    if observed(feats):
        return reference.reduce_rows(feats[order], segment, count, reduce)
    if torch.is_grad_enabled() and feats.requires_grad:
        return _reduce_ascending(feats.index_select(0, order), segment, count, reduce)
    return run(_one_list(segment, order, count), feats, reduce)


def _reduce_ascending(feats: Tensor, targets: Tensor, count: int, reduce: Reduction) -> Tensor:
    rows = torch.arange(len(feats), dtype=torch.int32, device=feats.device)
    return run(_one_list(targets, rows, count), feats, reduce)


def _one_list(targets: Tensor, rows: Tensor, count: int) -> PairLists:
    if len(rows) >= 2**31:
        raise ValueError(f"pooling: {len(rows)} rows, but row numbers are int32. Split the scene.")
    lists = torch.tensor([[0, len(rows), OUTPUT_FIRST]], dtype=torch.int64, device="cpu")
    return PairLists.of(count, targets.int(), rows.int(), lists)


def _check(feats: Tensor, reduce: Reduction) -> None:
    if reduce not in ("max", "mean", "sum"):
        raise ValueError(f'pooling: reduce={reduce!r}; expected "max", "mean" or "sum".')
    if feats.ndim != 2 or feats.dtype not in FLOATS:
        raise ValueError(
            f"pooling: feats has shape {tuple(feats.shape)} and dtype {feats.dtype}, but (rows, channels) of float32, "
            f"bfloat16, float16 or float64 is needed."
        )

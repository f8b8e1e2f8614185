"""Pooling over a kernel map, and over whole scenes."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from tamis.ops.kernel_map import KernelMap

Reduction = Literal["max", "mean", "sum"]


def sparse_pool(feats: Tensor, kernel_map: KernelMap, reduce: Reduction = "max") -> Tensor:
    """Reduce the neighbours of every output; missing neighbours do not count. Differentiable in ``feats``.

    Parameters
    ----------
    feats : Tensor, shape (kernel_map.in_rows, channels)
    kernel_map : KernelMap
    reduce : "max", "mean" or "sum"

    Returns
    -------
    Tensor, shape (kernel_map.out_rows, channels). An output without neighbours is 0.
    """
    if kernel_map.in_order is not None:
        feats = feats[kernel_map.in_order]
    pairs = [kernel_map.pairs_of(offset) for offset in range(kernel_map.kernel_volume)]
    inputs = torch.cat([pair[0] for pair in pairs])
    outputs = torch.cat([pair[1] for pair in pairs])
    return kernel_map.in_callers_order(_reduce_rows(feats[inputs], outputs, kernel_map.out_rows, reduce))


def global_pool(feats: Tensor, batch_rows: Tensor, scenes: int, reduce: Reduction = "max") -> Tensor:
    """Reduce all voxels of each scene, shape (scenes, channels). A scene without voxels is 0."""
    return _reduce_rows(feats, batch_rows, scenes, reduce)


def _reduce_rows(rows: Tensor, targets: Tensor, count: int, reduce: Reduction) -> Tensor:
    if reduce not in ("max", "mean", "sum"):
        raise ValueError(f'pooling: reduce={reduce!r}; expected "max", "mean" or "sum".')
    out = rows.new_zeros(count, rows.shape[1])
    if reduce == "max":
        return out.scatter_reduce(0, targets[:, None].expand_as(rows), rows, "amax", include_self=False)
    out = out.index_add(0, targets, rows)
    if reduce == "sum":
        return out
    counts = torch.bincount(targets, minlength=count).clamp(min=1)
    return out / counts[:, None].to(out.dtype)

"""Pooling over the pairs of a map as plain PyTorch, on any device and differentiable: sums in float64."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.kernels.pair_lists import PairLists, Reduction


def sparse_pool(pairs: PairLists, feats: Tensor, reduce: Reduction) -> Tensor:
    """Reduce the inputs of every output.

    Parameters
    ----------
    pairs : PairLists
    feats : Tensor, shape (in_rows, channels)
    reduce : "max", "sum" or "mean"

    Returns
    -------
    Tensor, shape (pairs.rows, channels), dtype of ``feats``. An output without pairs is 0; equal maxima share the gradient.
    """
    inputs, outputs = all_pairs(pairs)
    return reduce_rows(feats[inputs], outputs, pairs.rows, reduce)


def reduce_rows(rows: Tensor, targets: Tensor, count: int, reduce: Reduction) -> Tensor:
    """Reduce the rows of each target, shape (count, channels); a target without rows is 0."""
    if reduce == "max":
        out = rows.new_zeros(count, rows.shape[1])
        return out.scatter_reduce(0, targets[:, None].expand_as(rows), rows, "amax", include_self=False)
    sums = rows.new_zeros(count, rows.shape[1], dtype=torch.float64).index_add(0, targets, rows.double())
    if reduce == "mean":
        sums = sums / torch.bincount(targets, minlength=count).clamp(min=1)[:, None]
    return sums.to(rows.dtype)


def sparse_pool_gradient(
    pairs: PairLists, grad: Tensor, feats: Tensor, out: Tensor, reduce: Reduction
) -> Tensor:
    """The gradient of the inputs, shape and dtype of ``feats``; differentiable in ``grad``."""
    inputs, outputs = all_pairs(pairs)
    share = grad.to(torch.promote_types(grad.dtype, torch.float32))
    if reduce == "mean":
        share = share / torch.bincount(outputs, minlength=pairs.rows).clamp(min=1)[:, None]
    if reduce == "max":
        hits = (feats.index_select(0, inputs) == out.index_select(0, outputs)).to(share.dtype)
        ties = torch.zeros_like(share).index_add(0, outputs, hits)
        share = share / ties.clamp(min=1)
    slopes = share.index_select(0, outputs)
    if reduce == "max":
        slopes = slopes * hits
    repeats = len(inputs) > 0 and int(torch.bincount(inputs).max()) > 1
    sums = slopes.new_zeros(feats.shape, dtype=torch.float64 if repeats else slopes.dtype)
    return sums.index_add(0, inputs, slopes.to(sums.dtype)).to(feats.dtype)


def all_pairs(pairs: PairLists) -> tuple[Tensor, Tensor]:
    """Input rows and output rows of all offsets, one after the other, int64."""
    lists = [pairs.pairs_of(offset) for offset in range(pairs.volume)]
    none = pairs.first.new_empty(0, dtype=torch.int64)
    return torch.cat([none, *(a for a, _ in lists)]), torch.cat([none, *(b for _, b in lists)])

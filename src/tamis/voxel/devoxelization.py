"""Voxels back to points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from tamis.ops.point_keys import KnownKeys, cell_range, rows_around_points, rows_of_points
from tamis.voxel.point_arguments import as_batch, as_points, as_sizes, check_finite
from tamis.voxel.tensor import VoxelTensor

_CHUNK = 65536  # points whose corners are held at once


def devoxelize(
    x: VoxelTensor,
    points: Any,
    voxel_size_m: float | Sequence[float],
    batch: Any = None,
    method: Literal["nearest", "trilinear"] = "nearest",
    fill: float = 0.0,
) -> Tensor:
    """Features at points, read from voxels. Differentiable in ``x.feats``.

    Parameters
    ----------
    x : VoxelTensor
    points : PointCloud, or Tensor or array of shape (P, 3)
        Metres. For the points that were given to :func:`voxelize`, ``y.feats[x.row_of_point]`` is the same and cheaper.
    voxel_size_m : float or three floats
        Size of a cell of the finest grid.
    batch : Tensor or array, shape (P,), optional
        Scene of each point, a whole number from 0 on; default 0.
    method : "nearest" or "trilinear"
        The voxel that holds the point; or the up to eight voxels whose centres surround it, weighted by distance and
        normalised over those that exist.
    fill : float
        Value for points that meet no voxel.

    Returns
    -------
    Tensor, shape (P, C), dtype of ``x.feats``

    Raises
    ------
    ValueError
        As :func:`voxelize`; or if points require a gradient, which is not taken.
    """
    call = "devoxelize(x, points, ...)"
    if method not in ("nearest", "trilinear"):
        raise ValueError(f'devoxelize(method={method!r}): expected "nearest" or "trilinear".')
    if (
        method == "trilinear"
        and isinstance(points, Tensor)
        and points.requires_grad
        and torch.is_grad_enabled()
    ):
        raise ValueError(
            f"{call}: points requires a gradient, but devoxelize is differentiable in x.feats only. Give points.detach()."
        )
    points = as_points(call, points).to(x.feats.device)
    batch_of = as_batch(call, batch, points)
    width, depth, height = as_sizes(call, voxel_size_m)
    size = (width * x.stride[0], depth * x.stride[1], height * x.stride[2])
    check_finite(call, points, cell_range(points, size)[1])
    known = x.sorted_keys()
    keys = KnownKeys(known.keys, known.layout, known.order)
    if not len(x):
        return x.feats.new_full((len(points), x.channels), fill)
    feats = x.feats.float() if x.feats.dtype in (torch.float16, torch.bfloat16) else x.feats

    def read(some: slice) -> Tensor:
        scenes = None if batch_of is None else batch_of[some]
        if method == "nearest":
            rows, weights = rows_of_points(points[some], scenes, size, x.stride, keys)[:, None], None
        else:
            rows, weights = rows_around_points(points[some], scenes, size, x.stride, keys)
        absent = rows[:, :1] < 0
        values: Tensor = _WeightedRows.apply(feats, rows.clamp_(min=0), weights)  # type: ignore[no-untyped-call]
        return values.masked_fill(absent, fill).to(x.feats.dtype)

    together = len(points) if torch.is_grad_enabled() and feats.requires_grad else _CHUNK
    chunks = range(0, len(points), max(together, 1))
    return torch.cat(
        [
            feats.new_empty(0, x.channels, dtype=x.feats.dtype),
            *(read(slice(at, at + together)) for at in chunks),
        ]
    )


class _WeightedRows(torch.autograd.Function):
    """``out[p] = sum over k of weights[p, k] * feats[rows[p, k]]``; its gradient is summed in float64."""

    @staticmethod
    def forward(ctx: Any, feats: Tensor, rows: Tensor, weights: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows, weights)
        ctx.rows = len(feats)
        if weights is None:
            return feats.index_select(0, rows[:, 0])
        shares = weights.to(feats.dtype)
        return torch.nn.functional.embedding_bag(rows, feats, per_sample_weights=shares, mode="sum")

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (grad,), (rows, weights) = grads, ctx.saved_tensors
        sums, wide = grad.new_zeros(ctx.rows, grad.shape[1], dtype=torch.float64), grad.double()
        for corner in range(rows.shape[1]):
            share = wide if weights is None else wide * weights[:, corner, None]
            sums = sums.index_add(0, rows[:, corner], share)
        return sums.to(grad.dtype), None, None

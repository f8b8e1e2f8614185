"""Sparse convolution in the three dataflows of Spira, each as plain PyTorch on any device.

``Y[j] = sum over k of X[i] @ W[k]`` for every pair (i, j) of offset k. All take the pair lists of a kernel map:

lists : Tensor, shape (kernel_volume, 3), int64, on the CPU
    Row k holds ``start, stop, role``: the pairs of offset k are ``first[start:stop], second[start:stop]``, where
    role 0 means (output, input), role 1 means (input, output), and role 2 means "every output j has input j",
    for which nothing is stored.

References
----------
[1] Spira: Exploiting Voxel Data Structural Properties for Efficient Sparse Convolution. arXiv:2511.20834.
"""

from __future__ import annotations

import torch
from torch import Tensor

OUTPUT_FIRST, INPUT_FIRST, IDENTITY = 0, 1, 2


def pairs_of(first: Tensor, second: Tensor, lists: Tensor, offset: int, rows: int) -> tuple[Tensor, Tensor]:
    """Input rows and output rows, each of shape (pairs,), int64, of one offset; ``rows`` is the output count."""
    start, stop, role = lists[offset].tolist()
    if role == IDENTITY:
        every = torch.arange(rows, device=first.device)
        return every, every
    a, b = first[start:stop].long(), second[start:stop].long()
    return (b, a) if role == OUTPUT_FIRST else (a, b)


def dense_map(first: Tensor, second: Tensor, lists: Tensor, rows: int) -> Tensor:
    """The map as one table, shape (rows, kernel_volume), int32: the input row, or -1."""
    table = first.new_full((rows, len(lists)), -1)
    for offset in range(len(lists)):
        inputs, outputs = pairs_of(first, second, lists, offset, rows)
        table[outputs, offset] = inputs.to(table.dtype)
    return table


def output_stationary(
    feats: Tensor, weight: Tensor, first: Tensor, second: Tensor, lists: Tensor, rows: int
) -> Tensor:
    """One row of outputs at a time: gather all neighbours, zeros for missing ones, one product (implicit GEMM).

    Wasted multiplications: 1 - mean density of the map. No compaction, no scatter.
    """
    return _implicit_gemm(feats, weight, dense_map(first, second, lists, rows))


def weight_stationary(
    feats: Tensor, weight: Tensor, first: Tensor, second: Tensor, lists: Tensor, rows: int
) -> Tensor:
    """One offset at a time: gather its inputs, multiply, add to its outputs. No wasted multiplications."""
    out = torch.zeros(rows, weight.shape[2], dtype=_sum_dtype(feats), device=feats.device)
    for offset in range(len(lists)):
        inputs, outputs = pairs_of(first, second, lists, offset, rows)
        out.index_add_(0, outputs, feats[inputs].to(out.dtype) @ weight[offset].to(out.dtype))
    return out.to(feats.dtype)


def hybrid(
    feats: Tensor,
    weight: Tensor,
    first: Tensor,
    second: Tensor,
    lists: Tensor,
    rows: int,
    dense_offsets: list[int],
) -> Tensor:
    """Offsets in ``dense_offsets`` output-stationary, the others weight-stationary, and the sum of both."""
    sparse_offsets = [offset for offset in range(len(lists)) if offset not in set(dense_offsets)]
    wide, weight = feats.to(_sum_dtype(feats)), weight.to(_sum_dtype(feats))
    dense = output_stationary(wide, weight[dense_offsets], first, second, lists[dense_offsets], rows)
    sparse = weight_stationary(wide, weight[sparse_offsets], first, second, lists[sparse_offsets], rows)
    return (dense + sparse).to(feats.dtype)


def weight_gradient(
    feats: Tensor, grad: Tensor, first: Tensor, second: Tensor, lists: Tensor, rows: int
) -> Tensor:
    """Gradient of the weights, shape (kernel_volume, c_in, c_out): X[inputs].T @ dY[outputs] for every offset."""
    wide = _sum_dtype(feats)
    gradients = []
    for offset in range(len(lists)):
        inputs, outputs = pairs_of(first, second, lists, offset, rows)
        gradients.append(feats[inputs].to(wide).T @ grad[outputs].to(wide))
    return torch.stack(gradients)


def _implicit_gemm(feats: Tensor, weight: Tensor, table: Tensor, chunk: int = 8192) -> Tensor:
    volume, c_in, c_out = weight.shape
    wide = _sum_dtype(feats)
    padded = torch.cat([feats.to(wide), feats.new_zeros(1, c_in, dtype=wide)])
    matrix = weight.to(wide).reshape(volume * c_in, c_out)
    parts = [
        padded[rows.long()].reshape(len(rows), volume * c_in) @ matrix  # -1 is the row of zeros at the end
        for rows in table.split(chunk)
    ]
    out = torch.cat(parts) if parts else matrix.new_zeros(0, c_out)
    return out.to(feats.dtype)


def _sum_dtype(feats: Tensor) -> torch.dtype:
    return torch.float32 if feats.dtype in (torch.float16, torch.bfloat16) else feats.dtype

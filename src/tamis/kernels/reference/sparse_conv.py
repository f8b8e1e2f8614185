"""Sparse convolution in the three dataflows of Spira, each as plain PyTorch on any device.

``Y[j] = act(scale * sum over k of X[i] @ W[k] + bias + residual[j])`` over every pair (i, j) of offset k. All take

pairs : PairLists
feats : Tensor, shape (in_rows, groups * c_in)
weight : Tensor, shape (kernel_volume, c_in, c_out)
epilogue : Epilogue

References
----------
[1] Spira: Exploiting Voxel Data Structural Properties for Efficient Sparse Convolution. arXiv:2511.20834.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tamis.kernels.pair_lists import Epilogue, PairLists

Sums = Callable[[PairLists, Tensor, Tensor], Tensor]  # of one group, without an epilogue


def sparse_conv_output_stationary(
    pairs: PairLists, feats: Tensor, weight: Tensor, epilogue: Epilogue, groups: int
) -> Tensor:
    """One row of outputs at a time: gather all neighbours, zeros for missing ones, one product (implicit GEMM).

    Wasted multiplications: 1 - mean density of the map. No compaction, no scatter.
    """
    return finish(_grouped(_implicit_gemm, pairs, feats, weight, groups), epilogue)


def sparse_conv_weight_stationary(
    pairs: PairLists, feats: Tensor, weight: Tensor, epilogue: Epilogue, groups: int
) -> Tensor:
    """One offset at a time: gather its inputs, multiply, add to its outputs. No wasted multiplications."""
    return finish(_grouped(_gather_gemm_scatter, pairs, feats, weight, groups), epilogue)


def sparse_conv_hybrid(
    pairs: PairLists, feats: Tensor, weight: Tensor, epilogue: Epilogue, groups: int
) -> Tensor:
    """``pairs.dense_offsets`` output-stationary, the others weight-stationary, and the sum of both."""
    return finish(_grouped(_both, pairs, feats, weight, groups), epilogue)


def sparse_conv_weight_gradient(pairs: PairLists, feats: Tensor, grad: Tensor, groups: int) -> Tensor:
    """Gradient of the weights, shape (kernel_volume, c_in, c_out): X[inputs].T @ dY[outputs] for every offset."""
    wide = _sum_dtype(feats)
    gradients = []
    for offset in range(pairs.volume):
        inputs, outputs = pairs.pairs_of(offset)
        parts = zip(
            feats[inputs].to(wide).chunk(groups, 1), grad[outputs].to(wide).chunk(groups, 1), strict=True
        )
        gradients.append(torch.cat([x.T @ slope for x, slope in parts], 1))
    return torch.stack(gradients)


def finish(sums: Tensor, epilogue: Epilogue) -> Tensor:
    """``act(scale * sums + bias + residual)``, in the dtype of the sums."""
    bias, scale, residual, relu = epilogue
    if scale is not None:
        sums = sums * scale.to(sums.dtype)
    if bias is not None:
        sums = sums + bias.to(sums.dtype)
    if residual is not None:
        sums = sums + residual
    return sums.relu() if relu else sums


def _grouped(sums: Sums, pairs: PairLists, feats: Tensor, weight: Tensor, groups: int) -> Tensor:
    wide = _sum_dtype(feats)
    parts = zip(feats.to(wide).chunk(groups, 1), weight.to(wide).chunk(groups, 2), strict=True)
    return torch.cat([sums(pairs, x, w) for x, w in parts], 1).to(feats.dtype)


def _implicit_gemm(pairs: PairLists, feats: Tensor, weight: Tensor, chunk: int = 8192) -> Tensor:
    volume, c_in, c_out = weight.shape
    padded = torch.cat([feats, feats.new_zeros(1, c_in)])
    matrix = weight.reshape(volume * c_in, c_out)
    parts = [
        padded[rows.long()].reshape(len(rows), volume * c_in) @ matrix  # -1 is the row of zeros at the end
        for rows in pairs.table().split(chunk)
    ]
    return torch.cat(parts) if parts else matrix.new_zeros(0, c_out)


def _gather_gemm_scatter(pairs: PairLists, feats: Tensor, weight: Tensor) -> Tensor:
    out = feats.new_zeros(pairs.rows, weight.shape[2])
    for offset in range(pairs.volume):
        inputs, outputs = pairs.pairs_of(offset)
        out.index_add_(0, outputs, feats[inputs] @ weight[offset])
    return out


def _both(pairs: PairLists, feats: Tensor, weight: Tensor) -> Tensor:
    dense = pairs.dense_offsets.tolist()
    sparse = [offset for offset in range(pairs.volume) if offset not in set(dense)]
    return _implicit_gemm(pairs.only(dense), feats, weight[dense]) + _gather_gemm_scatter(
        pairs.only(sparse), feats, weight[sparse]
    )


def _sum_dtype(feats: Tensor) -> torch.dtype:
    return torch.float32 if feats.dtype in (torch.float16, torch.bfloat16) else feats.dtype

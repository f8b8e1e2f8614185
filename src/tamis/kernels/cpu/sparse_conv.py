"""``csrc/kernels/sparse_conv.cpp`` and ``sparse_conv_weight_gradient.cpp``: a sparse convolution, and the gradient of its weights."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.kernels.cpu.native import ELEMENTS, native
from tamis.kernels.pair_lists import GRANULE, Epilogue, PairLists

_PART_ROWS = 2048  # outputs per partial sum of the weight gradient
_MOST_PARTS = 8


def sparse_conv_blocked(
    pairs: PairLists, feats: Tensor, weight: Tensor, epilogue: Epilogue, groups: int
) -> Tensor:
    """Blocks of consecutive outputs, weight-stationary inside: ``act(scale * conv(feats) + bias + residual)``.

    Parameters
    ----------
    pairs : PairLists
        With cuts, see :func:`tamis.kernels.cpu.kernel_map.block_cuts`.
    feats : Tensor, shape (in_rows, groups * c_in), float32, bfloat16 or float16
    weight : Tensor, shape (volume, c_in, c_out)
    epilogue : Epilogue

    Returns
    -------
    Tensor, shape (pairs.rows, c_out), dtype of ``feats``.
    """
    _, c_in, c_out = weight.shape
    rows, (bias, scale, residual, relu) = pairs.rows, epilogue
    out = torch.empty(rows, c_out, dtype=feats.dtype, device="cpu")
    if out.numel() == 0:
        return out
    threads = torch.get_num_threads()
    # The kernel reads addresses: these names keep what they point at alive until it has returned.
    feats, weight = feats.contiguous(), weight.float().contiguous()
    bias = None if bias is None else bias.float().contiguous()
    scale = None if scale is None else scale.float().contiguous()
    residual = None if residual is None else residual.contiguous()
    feats_at, weight_at = feats.data_ptr(), weight.data_ptr()
    if (not feats_at and feats.numel()) or (not weight_at and weight.numel()):
        raise ValueError("sparse_conv: the memory of an operand was given back (its storage has no bytes).")
    native().sparse_conv(
        pairs.native,
        rows=rows,
        c_in=c_in,
        c_out=c_out,
        groups=groups,
        feats=feats_at,
        residual=0 if residual is None else residual.data_ptr(),
        weight=weight_at,
        scale=0 if scale is None else scale.data_ptr(),
        bias=0 if bias is None else bias.data_ptr(),
        out=out.data_ptr(),
        element=ELEMENTS[feats.dtype],
        relu=relu,
        block_rows=block_rows(rows, c_out, threads),
        threads=threads,
    )
    return out


def sparse_conv_weight_gradient(pairs: PairLists, feats: Tensor, grad: Tensor, groups: int) -> Tensor:
    """Gradient of the weights, shape (volume, c_in, c_out), float32; the partial sums do not depend on threads."""
    c_in, c_out = feats.shape[1] // groups, grad.shape[1]
    out = torch.zeros(pairs.volume, c_in, c_out, dtype=torch.float32, device="cpu")
    if pairs.rows == 0 or out.numel() == 0:
        return out
    whole, slope = feats.float().contiguous(), grad.float().contiguous()
    parts = max(1, min(_MOST_PARTS, pairs.rows // _PART_ROWS))
    copies = torch.empty(parts, *out.shape, dtype=torch.float32, device="cpu")
    native().sparse_conv_weight_gradient(
        pairs.native,
        c_in=c_in,
        c_out=c_out,
        groups=groups,
        feats=whole.data_ptr(),
        grad=slope.data_ptr(),
        weight_grad=out.data_ptr(),
        parts=parts,
        copies=copies.data_ptr(),
        threads=torch.get_num_threads(),
    )
    return out


def block_rows(rows: int, c_out: int, threads: int) -> int:
    """Outputs per block: 256 KiB of sums, 256 to 2048 rows, and at least four blocks per thread. Results do not change."""
    fits = min(2048, max(256, 65536 // c_out))
    share = -(-rows // (4 * threads))
    return max(GRANULE, min(fits, share) // GRANULE * GRANULE)

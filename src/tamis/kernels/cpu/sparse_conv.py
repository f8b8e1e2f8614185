"""Faces of ``csrc/kernels/sparse_conv.cpp`` and ``sparse_conv_weight_gradient.cpp``."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.kernels.cpu.kernel_map import GRANULE
from tamis.kernels.cpu.native import ELEMENTS, native

_PART_ROWS = 2048  # outputs per partial sum of the weight gradient
_MOST_PARTS = 8


def blocked(
    feats: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    scale: Tensor | None,
    residual: Tensor | None,
    first: Tensor,
    second: Tensor,
    lists: Tensor,
    cuts: Tensor,
    rows: int,
    groups: int,
    relu: bool,
) -> Tensor:
    """``act(scale * conv(feats) + bias + residual)``, blocks of consecutive outputs, weight-stationary inside.

    Parameters
    ----------
    feats : Tensor, shape (in_rows, groups * c_in), float32, bfloat16 or float16
    weight : Tensor, shape (volume, c_in, c_out)
    bias, scale : Tensor, shape (c_out,), optional
    residual : Tensor, shape (rows, c_out), optional
    first, second, lists, cuts
        Pair lists, see ``reference/sparse_conv.py`` and :func:`tamis.kernels.cpu.kernel_map.block_cuts`.

    Returns
    -------
    Tensor, shape (rows, c_out), dtype of ``feats``.
    """
    volume, c_in, c_out = weight.shape
    out = torch.empty(rows, c_out, dtype=feats.dtype)
    if out.numel() == 0:
        return out
    threads = torch.get_num_threads()
    feats = feats.contiguous()
    whole = [_float32(tensor) for tensor in (weight, scale, bias)]
    if residual is not None:
        residual = residual.contiguous()
    native().sparse_conv(
        first.data_ptr(), second.data_ptr(), lists.data_ptr(), cuts.data_ptr(), volume, cuts.shape[1] - 1,
        rows, c_in, c_out, groups, feats.data_ptr(), _address(residual), _address(whole[0]), _address(whole[1]),
        _address(whole[2]), out.data_ptr(), ELEMENTS[feats.dtype], relu, block_rows(rows, c_out, threads), threads,
    )  # fmt: skip
    return out


def weight_gradient(
    feats: Tensor,
    grad: Tensor,
    first: Tensor,
    second: Tensor,
    lists: Tensor,
    cuts: Tensor,
    rows: int,
    groups: int,
) -> Tensor:
    """Gradient of the weights, shape (volume, c_in, c_out), float32; the partial sums do not depend on threads."""
    c_in, c_out = feats.shape[1] // groups, grad.shape[1]
    out = torch.zeros(len(lists), c_in, c_out)
    if rows == 0 or out.numel() == 0:
        return out
    whole, slope = feats.float().contiguous(), grad.float().contiguous()
    parts = max(1, min(_MOST_PARTS, rows // _PART_ROWS))
    copies = torch.empty(parts, *out.shape)
    native().sparse_conv_weight_gradient(
        first.data_ptr(), second.data_ptr(), lists.data_ptr(), cuts.data_ptr(), len(lists), cuts.shape[1] - 1,
        c_in, c_out, groups, whole.data_ptr(), slope.data_ptr(), out.data_ptr(), parts, copies.data_ptr(),
        torch.get_num_threads(),
    )  # fmt: skip
    return out


def block_rows(rows: int, c_out: int, threads: int) -> int:
    """Outputs per block: 256 KiB of sums, 256 to 2048 rows, and at least four blocks per thread. Results do not change."""
    fits = min(2048, max(256, 65536 // c_out))
    share = -(-rows // (4 * threads))
    return max(GRANULE, min(fits, share) // GRANULE * GRANULE)


def _float32(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.float().contiguous()


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()

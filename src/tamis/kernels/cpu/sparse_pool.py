"""``csrc/kernels/sparse_pool.cpp``: maxima, sums and means over the pairs of a map."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.kernels.cpu.native import ELEMENTS, native
from tamis.kernels.pair_lists import PairLists, Reduction

_POOLING: dict[Reduction, int] = {"max": 0, "sum": 1, "mean": 2}


def sparse_pool(pairs: PairLists, feats: Tensor, reduce: Reduction) -> Tensor:
    """Reduce the inputs of every output; sums in float64. As the reference, whose ``pairs`` need no order.

    Parameters
    ----------
    pairs : PairLists
        Ascending in their outputs, which may repeat within a list.
    feats : Tensor, shape (in_rows, channels), float32, bfloat16, float16 or float64
    reduce : "max", "sum" or "mean"

    Returns
    -------
    Tensor, shape (pairs.rows, channels), dtype of ``feats``. An output without pairs is 0.
    """
    feats = feats.contiguous()  # the name keeps the memory alive
    out = torch.empty(pairs.rows, feats.shape[1], dtype=feats.dtype, device="cpu")
    if out.numel():
        native().sparse_pool(
            pairs.native,
            rows=pairs.rows,
            channels=feats.shape[1],
            feats=feats.data_ptr(),
            out=out.data_ptr(),
            element=ELEMENTS.get(feats.dtype, 0),
            wide=feats.dtype == torch.float64,
            pooling=_POOLING[reduce],
            threads=torch.get_num_threads(),
        )
    return out

"""``csrc/kernels/sddmm_csr.cpp``, ``sddmm_bsr.cpp`` and ``sddmm_window.cpp``: the entries of A @ B.T that a packed matrix stores."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.kernels.cpu.native import ELEMENTS, address, native
from tamis.kernels.cpu.spmm_int8 import QuadMatrix
from tamis.kernels.cpu.spmm_pack import PanelMatrix
from tamis.kernels.cpu.spmv_pack import WindowMatrix


def sddmm(packed: PanelMatrix | WindowMatrix | QuadMatrix, a: Tensor, b: Tensor, by_rows: bool) -> Tensor:
    """Sample a dense product of checked operands. The structure says which kernel reads it.

    Parameters
    ----------
    packed : the structure, of shape (m, k)
    a : Tensor, shape (n, m) if ``by_rows`` else (m, n); float32, bfloat16 or float16
    b : Tensor, shape (n, k) if ``by_rows`` else (k, n); dtype of ``a``

    Returns
    -------
    Tensor, shape (packed.slots,), float32: the values in packed order, 0 where there is padding

    Raises
    ------
    ValueError   if shapes or dtypes do not fit together: the kernel reads by address.
    TypeError    if the structure is one of int8 values, which have no gradient.
    """
    if isinstance(packed, QuadMatrix):
        raise TypeError("sddmm: a QuadMatrix holds int8 values, which have no gradient.")
    _check(packed, a, b, by_rows)
    n = a.shape[not by_rows]
    if n == 0:
        return torch.zeros(packed.slots, dtype=torch.float32, device="cpu")
    a, b = _rows_in_one_piece(a), _rows_in_one_piece(b)
    values = torch.empty(packed.slots, dtype=torch.float32, device="cpu")
    if isinstance(packed, WindowMatrix):
        kernel = native().sddmm_window
    else:
        kernel = native().sddmm_csr if packed.step_ids == 4 else native().sddmm_bsr
    kernel(
        packed.native,
        a=address(a),
        lda=a.stride(0),
        b=address(b),
        ldb=b.stride(0),
        n=n,
        element=ELEMENTS[a.dtype],
        by_rows=by_rows,
        values=address(values),
        threads=torch.get_num_threads(),
    )
    return values


def _check(packed: PanelMatrix | WindowMatrix, a: Tensor, b: Tensor, by_rows: bool) -> None:
    columns = 1 if by_rows else 0
    fits = a.ndim == b.ndim == 2 and a.shape[not by_rows] == b.shape[not by_rows]
    if not fits or (a.shape[columns], b.shape[columns]) != (packed.m, packed.k):
        raise ValueError(
            f"sddmm: the structure has shape ({packed.m}, {packed.k}), but a has shape {tuple(a.shape)} and b {tuple(b.shape)}."
        )
    if a.dtype not in ELEMENTS or b.dtype != a.dtype:
        raise ValueError(
            f"sddmm: expected one of {', '.join(map(str, ELEMENTS))}, but got {a.dtype} and {b.dtype}."
        )


def _rows_in_one_piece(x: Tensor) -> Tensor:
    return x if x.stride(1) == 1 else x.contiguous()

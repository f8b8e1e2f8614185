"""How the faces of the SpMM kernels call csrc/kernels/spmm_*.cpp: addresses, sizes, strides."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tamis.kernels.cpu.native import ACTIVATIONS, ELEMENTS, STORED


def call_panels(
    function: Callable[..., None],
    packed: list[Tensor],
    sizes: tuple[int, int, int, int],
    row_scale: Tensor | None,
    b: Tensor,
    bias: Tensor | None,
    activation: str | None,
    by_rows: bool,
) -> Tensor:
    """Run a native SpMM kernel on checked operands and return C.

    Parameters
    ----------
    function : the native kernel
    packed : [blocks, groups, ids, positions, values]
        The tensors of ``SpmmStructure`` and the values in packed order, float32 but for ``spmv_window``.
    sizes : (m, k, part_rows, block_cols)
    row_scale : Tensor, shape (m,), float32, contiguous, optional
        Factor of each row of A.
    b : Tensor, shape (n, k) if ``by_rows`` else (k, n); float32, bfloat16 or float16
    bias : Tensor, shape (m,), float32, contiguous, optional

    Returns
    -------
    Tensor, shape (n, m) if ``by_rows`` else (m, n), dtype of ``b``
    """
    row_stride, column_stride = b.stride()
    if column_stride != 1:
        b = b.contiguous()
        row_stride = b.stride(0)
    blocks, groups, ids, _, values = packed
    m = sizes[0]
    n = b.shape[not by_rows]
    c = b.new_empty(n, m) if by_rows else b.new_empty(m, n)  # sizes one by one: half the time of a tuple
    function(
        blocks.data_ptr(),
        groups.data_ptr(),
        ids.data_ptr(),
        values.data_ptr(),
        *sizes,
        STORED[values.dtype],
        0 if row_scale is None else row_scale.data_ptr(),
        b.data_ptr(),
        row_stride,
        c.data_ptr(),
        m if by_rows else n,
        n,
        ELEMENTS[b.dtype],
        by_rows,
        0 if bias is None else bias.data_ptr(),
        ACTIVATIONS[activation],
        torch.get_num_threads(),
    )
    return c

"""``csrc/kernels/spmm_csr.cpp``, ``spmm_bsr.cpp`` and ``spmv_window.cpp``: C = A @ B on a packed A."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from tamis.kernels.cpu.native import ACTIVATIONS, ELEMENTS, STORED, native
from tamis.kernels.cpu.operands import check_operands
from tamis.kernels.cpu.spmm_pack import PanelMatrix
from tamis.kernels.cpu.spmv_pack import WindowMatrix


def _call(
    kernel: str,
    packed: PanelMatrix | WindowMatrix,
    values: Tensor,
    row_scale: Tensor | None,
    b: Tensor,
    bias: Tensor | None,
    activation: str | None,
    by_rows: bool,
) -> Tensor:
    """Run a native kernel on checked operands.

    Parameters
    ----------
    kernel : name in ``tamis._cpu``
    packed : the structure of A, as the kernel reads it
    values : Tensor
        The numbers of A in packed order, contiguous; float32, bfloat16, float16 or int8.
    row_scale : Tensor, shape (m,), float32, contiguous, optional
        Factor of each row of A.
    b : Tensor, shape (n, k) if ``by_rows`` else (k, n); float32, bfloat16 or float16
    bias : Tensor, shape (m,), optional

    Returns
    -------
    Tensor, shape (n, m) if ``by_rows`` else (m, n), dtype of ``b``

    Raises
    ------
    ValueError   if a tensor has not the size that the structure needs: the kernel reads by address.
    """
    plain = values.numel() == packed.slots and values.is_contiguous() and b.shape[by_rows] == packed.k
    if not plain or row_scale is not None or not (values.data_ptr() and b.data_ptr()):  # else spare the call
        check_operands(kernel, packed, values, row_scale, b, by_rows)
    if bias is not None:
        bias = bias.float().contiguous()
    row_stride, column_stride = b.stride()
    if column_stride != 1:
        b = b.contiguous()
        row_stride = b.stride(0)
    m = packed.m
    n = b.shape[not by_rows]
    c = b.new_empty(n, m) if by_rows else b.new_empty(m, n)  # sizes one by one: half the time of a tuple
    getattr(native(), kernel)(
        packed.native,
        values=values.data_ptr(),
        stored=STORED[values.dtype],
        row_scale=0 if row_scale is None else row_scale.data_ptr(),
        b=b.data_ptr(),
        ldb=row_stride,
        c=c.data_ptr(),
        ldc=m if by_rows else n,
        n=n,
        element=ELEMENTS[b.dtype],
        by_rows=by_rows,
        bias=0 if bias is None else bias.data_ptr(),
        activation=ACTIVATIONS[activation],
        threads=torch.get_num_threads(),
    )
    return c


# Unstructured A, four rows with columns of their own at a time.
spmm_csr = partial(_call, "spmm_csr")

# Column vectors and blocks, four rows that share their columns at a time.
spmm_bsr = partial(_call, "spmm_bsr")

# Unstructured A and few columns.
spmv_window = partial(_call, "spmv_window")


def parts_of_unit(panels: int, parts: int, part_rows: int, threads: int) -> int:
    """Parts of rows that one unit of work of a panel kernel takes (csrc/spmm_split.h)."""
    taken: int = native().parts_of_unit(panels=panels, parts=parts, part_rows=part_rows, threads=threads)
    return taken

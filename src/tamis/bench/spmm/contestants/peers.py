"""The engines we compare with: one function each, at the settings their own documentation gives.

Each takes the operands and the n that a plan should be made for, and returns a call to time, or raises
:class:`~tamis.bench.measurement.Unavailable` with the reason. Optional packages are imported inside.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from tamis.bench.measurement import Unavailable
from tamis.bench.spmm.contestants import mkl
from tamis.bench.spmm.contestants.prepared import Prepared, as_is, transposed
from tamis.bench.spmm.operands import Operands
from tamis.workloads import unit_shape

_SCIPY_LIMIT = 1_000_000_000


def dense_mm(operands: Operands, planned_n: int) -> Prepared:
    """``torch.mm(A, B)``: the baseline in the layout (k, n)."""
    a, b = operands.weight, operands.b
    return Prepared(lambda: torch.mm(a, b), as_is, a.numel(), a.nbytes, a.nbytes)


def dense_linear(operands: Operands, planned_n: int) -> Prepared:
    """``F.linear(x, A)``: the baseline in the layout of ``nn.Linear``."""
    a, x = operands.weight, operands.x
    return Prepared(lambda: linear(x, a), transposed, a.numel(), a.nbytes, a.nbytes)


def dense_onednn(operands: Operands, planned_n: int) -> Prepared:
    """Dense with weights packed ahead for oneDNN: a linear layer with frozen weights under AOTInductor.

    So does ``torch.compile`` with freezing where the batch size is free; where it is fixed, inductor packs for MKL instead.
    The operators are the ones inductor emits; they have no public name.
    """
    if not torch.backends.mkldnn.is_available():
        raise Unavailable("this torch has no oneDNN")
    a, x = operands.weight, operands.x
    packed = torch.ops.mkldnn._reorder_linear_weight(a, planned_n)
    product = torch.ops.mkldnn._linear_pointwise
    detail = "torch.ops.mkldnn._linear_pointwise"
    return Prepared(
        lambda: product(x, packed, None, "none", [], ""), transposed, a.numel(), a.nbytes, a.nbytes, detail
    )


def torch_csr(operands: Operands, planned_n: int) -> Prepared:
    """``torch.sparse_csr`` with int32 indices: MKL's sparse product inside torch."""
    a, b = _torch_csr_tensor(operands.weight), operands.b
    return Prepared(lambda: a @ b, as_is, a.values().numel(), *_bytes(a))


def torch_bsr(operands: Operands, planned_n: int) -> Prepared:
    """``torch.sparse_bsr``, for patterns made of square blocks (torch's CPU product takes no other)."""
    rows, cols = unit_shape(operands.pattern)
    if rows != cols or rows == 1:
        raise Unavailable(f"torch BSR takes square blocks on CPU; the pattern is {operands.pattern}")
    with warnings.catch_warnings(
        action="ignore", category=UserWarning
    ):  # that torch's sparse layouts are in beta
        wide = operands.weight.to_sparse_bsr((rows, cols))
        pointers, columns = wide.crow_indices().int(), wide.col_indices().int()
        a = torch.sparse_bsr_tensor(pointers, columns, wide.values(), wide.shape, check_invariants=False)
    b = operands.b
    return Prepared(lambda: a @ b, as_is, a.values().numel(), *_bytes(a))


def scipy_csr(operands: Operands, planned_n: int) -> Prepared:
    """``scipy.sparse.csr_matrix @ ndarray``: one thread, so it is left out where it would take seconds."""
    if int((operands.weight != 0).sum()) * operands.n > _SCIPY_LIMIT:
        raise Unavailable(f"one thread: left out above {2 * _SCIPY_LIMIT / 1e9:g} GFLOP a call")
    sparse = import_or_unavailable("scipy.sparse")
    a, b = sparse.csr_matrix(_float_array(operands.weight)), _float_array(operands.b)
    stored = a.data.nbytes + a.indices.nbytes + a.indptr.nbytes
    return Prepared(lambda: a @ b, torch.from_numpy, a.nnz, stored, stored, "one thread")


def numba_csr(operands: Operands, planned_n: int) -> Prepared:
    """A ten-line parallel loop over rows, as a user without a library would write it."""
    numba = import_or_unavailable("numba")
    a, b = _torch_csr_tensor(operands.weight), _float_array(operands.b)
    pointers, columns, values = a.crow_indices().numpy(), a.col_indices().numpy(), a.values().numpy()
    times_matrix, times_vector = _numba_loops()
    loop = times_vector if operands.n == 1 else times_matrix
    numba.set_num_threads(min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS))
    loop(pointers, columns, values, b)  # compiles, and chooses the pool
    detail = f"numba {numba.__version__}, {numba.threading_layer()} pool"
    return Prepared(
        lambda: loop(pointers, columns, values, b), torch.from_numpy, len(values), *_bytes(a), detail, "own"
    )


@cache
def _numba_loops() -> tuple[Callable[..., Any], Callable[..., Any]]:
    import numba
    import numpy as np

    @numba.njit(parallel=True, fastmath=True)
    def times_matrix(pointers: Any, columns: Any, values: Any, b: Any) -> Any:
        c = np.zeros((len(pointers) - 1, b.shape[1]), b.dtype)
        for row in numba.prange(len(pointers) - 1):
            for at in range(pointers[row], pointers[row + 1]):
                value, column = values[at], columns[at]
                for j in range(b.shape[1]):
                    c[row, j] += value * b[column, j]
        return c

    @numba.njit(parallel=True, fastmath=True)
    def times_vector(pointers: Any, columns: Any, values: Any, b: Any) -> Any:
        c = np.empty((len(pointers) - 1, 1), b.dtype)
        for row in numba.prange(len(pointers) - 1):
            total = b.dtype.type(0)
            for at in range(pointers[row], pointers[row + 1]):
                total += values[at] * b[columns[at], 0]
            c[row, 0] = total
        return c

    return times_matrix, times_vector


def mkl_csr(operands: Operands, planned_n: int) -> Prepared:
    """MKL's inspector-executor on CSR: hints, ``mkl_sparse_optimize``, then ``mkl_sparse_s_mm`` (n = 1: ``_mv``)."""
    if operands.weight.dtype != torch.float32:
        raise Unavailable(f"written for float32; the values are {operands.weight.dtype}")
    a = _torch_csr_tensor(operands.weight)
    try:
        detail = mkl.describe()
        start = perf_counter()
        handle = mkl.Handle(
            a.crow_indices(), a.col_indices(), a.values(), (a.shape[0], a.shape[1]), planned_n
        )
    except ImportError as error:
        raise Unavailable(f"not installed: {error}") from error
    pack_us = (perf_counter() - start) * 1e6
    b = operands.b
    return Prepared(
        lambda: handle.multiply(b),
        as_is,
        a.values().numel(),
        *_bytes(a),
        detail,
        "torch" if mkl.shares_torchs_pool() else "own",
        pack_us,
    )


def _torch_csr_tensor(weight: Tensor) -> Tensor:
    with warnings.catch_warnings(
        action="ignore", category=UserWarning
    ):  # that torch's sparse layouts are in beta
        wide = weight.to_sparse_csr()
        pointers, columns = wide.crow_indices().int(), wide.col_indices().int()
        return torch.sparse_csr_tensor(pointers, columns, wide.values(), wide.shape, check_invariants=False)


def _bytes(a: Tensor) -> tuple[int, int]:
    """Streamed and resident bytes of a compressed tensor."""
    size = sum(part.nbytes for part in (a.crow_indices(), a.col_indices(), a.values()))
    return size, size


def _float_array(tensor: Tensor) -> Any:
    if tensor.dtype not in (torch.float32, torch.float64):
        raise Unavailable(f"numpy has no {tensor.dtype}")
    return tensor.numpy()


def import_or_unavailable(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise Unavailable(f"not installed: {error}") from error

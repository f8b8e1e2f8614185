"""MKL's sparse inspector-executor through ctypes, from the library that the ``mkl`` package installs.

MKL is asked for its GNU threading layer before its first call, so that it runs on the libgomp that torch has loaded and shares
its pool; :func:`shares_torchs_pool` tells whether it does.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from tamis.tuning import loaded_libraries, openmp_runtimes

_LP64, _GNU_THREADS = 0, 3
_NO_TRANSPOSE, _ROW_MAJOR, _GENERAL = 10, 101, 20
_EXPECTED_CALLS = 1000
_INDEX_FROM_0 = 0


class _MatrixDescription(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("mode", ctypes.c_int), ("diag", ctypes.c_int))


_DESCRIPTION = _MatrixDescription(_GENERAL, 0, 0)


class Handle:
    """A float32 CSR matrix, inspected and optimised for products with ``planned_n`` columns.

    Parameters
    ----------
    crow_indices, col_indices : Tensor, int32
    values : Tensor, float32
    shape : (int, int)
    planned_n : int
        The number of columns hinted at; 1 hints at matrix-vector products.

    Raises
    ------
    ImportError    if the ``mkl`` package is absent.
    RuntimeError   with MKL's status, if it refuses.
    """

    def __init__(
        self,
        crow_indices: Tensor,
        col_indices: Tensor,
        values: Tensor,
        shape: tuple[int, int],
        planned_n: int,
    ) -> None:
        self._library, self._handle = _library(), ctypes.c_void_p()
        self._arrays = (crow_indices, col_indices, values)  # MKL keeps their addresses
        self._shape = shape
        starts = crow_indices.data_ptr()
        self._checked(
            "mkl_sparse_s_create_csr",
            *(ctypes.byref(self._handle), _INDEX_FROM_0, *shape),
            *map(ctypes.c_void_p, (starts, starts + 4, col_indices.data_ptr(), values.data_ptr())),
        )
        if planned_n == 1:
            hint: tuple[object, ...] = ("mkl_sparse_set_mv_hint", self._handle, _NO_TRANSPOSE, _DESCRIPTION)
        else:
            hint = (
                "mkl_sparse_set_mm_hint",
                self._handle,
                _NO_TRANSPOSE,
                _DESCRIPTION,
                _ROW_MAJOR,
                planned_n,
            )
        self._library.MKL_Set_Num_Threads(torch.get_num_threads())
        self._checked(*hint, _EXPECTED_CALLS)
        self._checked("mkl_sparse_optimize", self._handle)

    def multiply(self, b: Tensor) -> Tensor:
        """Return A @ B for ``b`` of shape (k, n), float32, contiguous."""
        n = b.shape[1]
        c = torch.empty(self._shape[0], n)
        one, zero = ctypes.c_float(1.0), ctypes.c_float(0.0)
        before = (_NO_TRANSPOSE, one, self._handle, _DESCRIPTION)
        operand, result = ctypes.c_void_p(b.data_ptr()), ctypes.c_void_p(c.data_ptr())
        if n == 1:
            status = self._library.mkl_sparse_s_mv(*before, operand, zero, result)
        else:
            status = self._library.mkl_sparse_s_mm(*before, _ROW_MAJOR, operand, n, n, zero, result, n)
        if status:
            raise RuntimeError(f"MKL's sparse product returned status {status}.")
        return c

    def __del__(self) -> None:
        if self._handle:
            self._library.mkl_sparse_destroy(self._handle)

    def _checked(self, function: object, *arguments: object) -> None:
        status = getattr(self._library, str(function))(*arguments)
        if status:
            raise RuntimeError(f"{function} returned status {status}.")


@cache
def shares_torchs_pool() -> bool:
    """Whether MKL runs on the one OpenMP runtime of this process, which then is torch's.

    Asked once, after MKL's first product: an engine that brings another runtime later changes nothing for MKL.
    """
    _multiply_once()
    return len(openmp_runtimes()) == 1


@cache
def describe() -> str:
    """Name MKL's version, the kernels that it chose for this CPU, and its OpenMP runtime."""
    _multiply_once()
    names = [Path(path).name for path in loaded_libraries()]
    isa = [name for name in names if name.startswith("libmkl_") and _is_isa_library(name)]
    runtimes = [Path(path).name for path in openmp_runtimes()]
    return f"mkl {importlib.metadata.version('mkl')}, {', '.join(isa)}, {' + '.join(runtimes)}"


def _multiply_once() -> None:
    """Make MKL load its kernels and its OpenMP runtime."""
    index = torch.zeros(1, dtype=torch.int32)
    Handle(torch.tensor([0, 1], dtype=torch.int32), index, torch.ones(1), (1, 1), 2).multiply(
        torch.ones(1, 2)
    )


@cache
def _library() -> ctypes.CDLL:
    try:
        files = importlib.metadata.files("mkl") or []
    except importlib.metadata.PackageNotFoundError:
        raise ImportError("the package mkl is absent") from None
    found = [file for file in files if file.name.startswith("libmkl_rt.so")]
    if not found:
        raise ImportError("the package mkl has no libmkl_rt.so on this system")
    library = ctypes.CDLL(str(Path(str(found[0].locate())).resolve()))
    library.MKL_Set_Interface_Layer(_LP64)
    library.MKL_Set_Threading_Layer(_GNU_THREADS)
    return library


def _is_isa_library(name: str) -> bool:
    stem = name.removeprefix("libmkl_").split(".")[0]
    return stem == "def" or stem.startswith(("avx", "mc"))

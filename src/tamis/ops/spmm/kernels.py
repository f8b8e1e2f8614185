"""The table of SpMM kernels.

To add one: its file in csrc/kernels, a line each in csrc/kernels.h, csrc/table.cpp and csrc/bind_spmm.cpp, its ``call`` in
kernels/cpu/spmm.py, and a record here. The conformance tests and `tamis tune` read this table.
"""

from __future__ import annotations

from functools import partial

import torch

from tamis.formats import SparseMatrix
from tamis.kernels import cpu
from tamis.ops.choice import Kernel, takes_any
from tamis.ops.spmm.cost import SpmmProblem, panel_tiling, panel_work, window_tiling, window_work
from tamis.ops.spmm.structure import blocks_of, rows_of

Packed = tuple[cpu.PackedMatrix, torch.Tensor]  # the structure, and where each value comes from

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.int8)


def _needs_tall_blocks(p: SpmmProblem) -> str | None:
    if p.format != "BSR":
        return f"a is {p.format}, not BSR"
    height = p.blocksize[0]
    if height > 1024:
        return f"block height {height} is above 1024"
    return None if height % 4 == 0 else f"block height {height} is not a multiple of 4"


def _needs_narrow(p: SpmmProblem) -> str | None:
    widest = cpu.MAX_WINDOW_COLUMNS
    return None if p.shape[1] <= widest else f"a has {p.shape[1]} columns, more than {widest}"


def _pack_rows(p: SpmmProblem, a: SparseMatrix) -> Packed:
    indices = rows_of(a)
    packed = cpu.pack_panels(
        indices.crow_indices, indices.col_indices, (1, 1), a.shape, *panel_tiling(p, narrow=True)
    )
    return packed[0], indices.own_positions(packed[1])


def _pack_blocks(p: SpmmProblem, a: SparseMatrix) -> Packed:
    indices = blocks_of(a)
    return cpu.pack_panels(
        indices.crow_indices, indices.col_indices, p.blocksize, a.shape, *panel_tiling(p, narrow=False)
    )


def _pack_windows(p: SpmmProblem, a: SparseMatrix) -> Packed:
    indices = rows_of(a)
    packed = cpu.pack_windows(indices.crow_indices, indices.col_indices, a.shape, *window_tiling(p))
    return packed[0], indices.own_positions(packed[1])


# Prices measured by `tamis tune` on a Zen 5 core.
KERNELS: tuple[Kernel[SpmmProblem], ...] = (
    Kernel(
        name="cpu/spmm_csr",
        dtypes=DTYPES,
        refuses=takes_any,
        pack=_pack_rows,
        packed=cpu.PanelMatrix,
        work=partial(panel_work, padding=1.05, id_bytes=4, narrow=True),
        prices={
            "avx512": {"fma": 0.58, "step": 0.27, "group": 0.0, "sums": 4.2, "slice": 1.1, "column": 0.67},
            "avx2": {"fma": 0.64, "step": 0.0, "group": 0.0, "sums": 3.9, "slice": 0.59, "column": 0.68},
            "baseline": {
                "fma": 0.57,
                "step": 0.56,
                "group": 7.5,
                "sums": 0.23,
                "slice": 0.27,
                "column": 0.83,
            },
        },
        call=cpu.spmm_csr,
    ),
    Kernel(
        name="cpu/spmm_bsr",
        dtypes=DTYPES,
        refuses=_needs_tall_blocks,
        pack=_pack_blocks,
        packed=cpu.PanelMatrix,
        work=partial(panel_work, padding=1.0, id_bytes=2, narrow=False),
        prices={
            "avx512": {"fma": 0.41, "step": 0.25, "group": 0.0, "sums": 2.1, "slice": 1.1, "column": 0.32},
            "avx2": {"fma": 0.41, "step": 0.22, "group": 0.0, "sums": 4.7, "slice": 0.37, "column": 0.34},
            "baseline": {"fma": 0.92, "step": 0.0, "group": 0.0, "sums": 1.3, "slice": 0.31, "column": 0.33},
        },
        call=cpu.spmm_bsr,
    ),
    Kernel(
        name="cpu/spmv_window",
        dtypes=DTYPES,
        refuses=_needs_narrow,
        pack=_pack_windows,
        packed=cpu.WindowMatrix,
        work=window_work,
        prices={
            "avx512": {"fma": 0.12, "step": 0.67, "group": 0.0, "sums": 2.5, "slice": 1.1, "column": 0.0},
            "avx2": {"fma": 0.69, "step": 6.2, "group": 0.0, "sums": 0.0, "slice": 6.2, "column": 0.0},
            "baseline": {"fma": 0.83, "step": 6.7, "group": 0.0, "sums": 0.0, "slice": 25.0, "column": 0.0},
        },
        call=cpu.spmv_window,
    ),
)
BY_NAME = {kernel.name: kernel for kernel in KERNELS}

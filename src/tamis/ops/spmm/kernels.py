"""The table of SpMM kernels.

To add one: its file in csrc/kernels, a line each in csrc/kernels.h, csrc/table.cpp and csrc/bind_spmm.cpp, its ``call`` in
kernels/cpu/spmm.py, and a record here. The conformance tests and `tamis tune` read this table.
"""

from __future__ import annotations

from functools import partial

import torch

from tamis.formats import SparseMatrix
from tamis.kernels import cpu
from tamis.ops.choice import Kernel
from tamis.ops.spmm.cost import (
    SpmmProblem,
    int8_part_rows,
    int8_work,
    panel_tiling,
    panel_work,
    window_tiling,
    window_work,
)
from tamis.ops.spmm.structure import blocks_of, rows_of

Packed = tuple[cpu.PackedMatrix, torch.Tensor]  # the structure, and where each value comes from

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.int8)


def _multiplies_in_float32(p: SpmmProblem) -> str | None:
    return None if p.compute == "float32" else f"compute is {p.compute!r}, but it multiplies in float32"


def _needs_tall_blocks(p: SpmmProblem) -> str | None:
    if refusal := _multiplies_in_float32(p):
        return refusal
    if p.format != "BSR":
        return f"a is {p.format}, not BSR"
    height = p.blocksize[0]
    if height > 1024:
        return f"block height {height} is above 1024"
    return None if height % 4 == 0 else f"block height {height} is not a multiple of 4"


def _needs_narrow(p: SpmmProblem) -> str | None:
    if refusal := _multiplies_in_float32(p):
        return refusal
    widest = cpu.MAX_WINDOW_COLUMNS
    return None if p.shape[1] <= widest else f"a has {p.shape[1]} columns, more than {widest}"


def _needs_quads(p: SpmmProblem) -> str | None:
    if p.compute != "int8":
        return "it rounds b to 8 bits, which compute='int8' allows"
    (height, width), columns = p.blocksize, p.shape[1]
    if p.format != "BSR" or width % cpu.QUAD or (height != 1 and height % 4):
        blocks = f"{p.format} in {height}x{width} blocks" if p.format == "BSR" else p.format
        return f"a is {blocks}, not BSR in blocks 1, 4, 8 ... high and 4, 8 ... wide"
    if height > 1024:
        return f"block height {height} is above 1024"
    widest = cpu.MAX_INT8_COLUMNS
    return None if columns <= widest else f"a has {columns} columns, more than {widest}"


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


def _pack_quads(p: SpmmProblem, a: SparseMatrix) -> Packed:
    indices = blocks_of(a)
    return cpu.pack_quads(indices.crow_indices, indices.col_indices, p.blocksize, a.shape, int8_part_rows(p))


# Prices measured by `tamis tune` on a Zen 5 core.
KERNELS: tuple[Kernel[SpmmProblem], ...] = (
    Kernel(
        name="cpu/spmm_csr",
        dtypes=DTYPES,
        refuses=_multiplies_in_float32,
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
    Kernel(
        name="cpu/spmm_int8",
        dtypes=(torch.int8,),
        refuses=_needs_quads,
        pack=_pack_quads,
        packed=cpu.QuadMatrix,
        work=int8_work,
        prices={  # Zen 4
            "avx512": {"fma": 1.2, "step": 0.64, "group": 18.0, "sums": 8.9, "slice": 12.0, "column": 0.0},
            "avx2": {"fma": 1.5, "step": 0.65, "group": 31.0, "sums": 0.12, "slice": 11.0, "column": 0.0},
            "baseline": {
                "fma": 27.0,
                "step": 12.0,
                "group": 13.0,
                "sums": 22.0,
                "slice": 15.0,
                "column": 0.0,
            },
        },
        call=cpu.spmm_int8,
    ),
)
BY_NAME = {kernel.name: kernel for kernel in KERNELS}

"""The native kernels of ``csrc`` in Python: packers, and one function per kernel of the same name."""

from tamis.kernels.cpu.kernel_map import KeyColumns, block_cuts, kernel_map_merge
from tamis.kernels.cpu.native import ACTIVATIONS, ELEMENTS, ISA_VARIABLE, STORED, force_isa, isa, native
from tamis.kernels.cpu.point_keys import (
    KeyIndex,
    key_index,
    point_corners,
    point_keys,
    point_range,
    point_rows,
)
from tamis.kernels.cpu.sddmm import sddmm
from tamis.kernels.cpu.sparse_conv import sparse_conv_blocked, sparse_conv_weight_gradient
from tamis.kernels.cpu.sparse_pool import sparse_pool
from tamis.kernels.cpu.spmm import parts_of_unit, spmm_bsr, spmm_csr, spmv_window
from tamis.kernels.cpu.spmm_int8 import MAX_INT8_COLUMNS, QUAD, QuadMatrix, int8_levels, pack_quads, spmm_int8
from tamis.kernels.cpu.spmm_pack import PanelMatrix, pack_panels, pack_values, unpack_values
from tamis.kernels.cpu.spmv_pack import MAX_COLUMNS as MAX_WINDOW_COLUMNS
from tamis.kernels.cpu.spmv_pack import WindowMatrix, pack_windows

PackedMatrix = PanelMatrix | WindowMatrix | QuadMatrix

__all__ = [
    "ACTIVATIONS",
    "ELEMENTS",
    "ISA_VARIABLE",
    "MAX_INT8_COLUMNS",
    "MAX_WINDOW_COLUMNS",
    "QUAD",
    "STORED",
    "KeyColumns",
    "KeyIndex",
    "PackedMatrix",
    "PanelMatrix",
    "QuadMatrix",
    "WindowMatrix",
    "block_cuts",
    "force_isa",
    "int8_levels",
    "isa",
    "kernel_map_merge",
    "key_index",
    "native",
    "pack_panels",
    "pack_quads",
    "pack_values",
    "pack_windows",
    "parts_of_unit",
    "point_corners",
    "point_keys",
    "point_range",
    "point_rows",
    "sddmm",
    "sparse_conv_blocked",
    "sparse_conv_weight_gradient",
    "sparse_pool",
    "spmm_bsr",
    "spmm_csr",
    "spmm_int8",
    "spmv_window",
    "unpack_values",
]

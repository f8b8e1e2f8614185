"""The native kernels of ``csrc`` in Python: packers, and one function per kernel of the same name."""

from tamis.kernels.cpu.native import ACTIVATIONS, ELEMENTS, ISA_VARIABLE, STORED, force_isa, isa, native
from tamis.kernels.cpu.spmm import parts_of_unit, spmm_bsr, spmm_csr, spmv_window
from tamis.kernels.cpu.spmm_pack import PanelMatrix, pack_panels, pack_values
from tamis.kernels.cpu.spmv_pack import MAX_COLUMNS as MAX_WINDOW_COLUMNS
from tamis.kernels.cpu.spmv_pack import WindowMatrix, pack_windows

PackedMatrix = PanelMatrix | WindowMatrix

__all__ = [
    "ACTIVATIONS",
    "ELEMENTS",
    "ISA_VARIABLE",
    "MAX_WINDOW_COLUMNS",
    "STORED",
    "PackedMatrix",
    "PanelMatrix",
    "WindowMatrix",
    "force_isa",
    "isa",
    "native",
    "pack_panels",
    "pack_values",
    "pack_windows",
    "parts_of_unit",
    "spmm_bsr",
    "spmm_csr",
    "spmv_window",
]

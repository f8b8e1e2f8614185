"""Kernel maps, the pairs of rows that a sparse convolution multiplies, and the coordinates of coarser and finer levels."""

from tamis.kernels.cpu.kernel_map import GRANULE
from tamis.ops.kernel_map.kernel_map import (
    SEARCHES,
    KernelMap,
    block_cuts,
    build_map,
    kernel_offsets,
    transposed_lists,
)
from tamis.ops.kernel_map.levels import generated_level, minkowski_level, spconv_level

__all__ = [
    "GRANULE",
    "SEARCHES",
    "KernelMap",
    "block_cuts",
    "build_map",
    "generated_level",
    "kernel_offsets",
    "minkowski_level",
    "spconv_level",
    "transposed_lists",
]

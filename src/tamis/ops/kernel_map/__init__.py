"""Kernel maps, the pairs of rows that a sparse convolution multiplies, and the coordinates of coarser and finer levels."""

from tamis.ops.kernel_map.call import build_map, kernel_offsets
from tamis.ops.kernel_map.kernel_map import KernelMap, density_by_l1, l1_distances
from tamis.ops.kernel_map.kernels import KERNELS
from tamis.ops.kernel_map.levels import generated_level, minkowski_level, spconv_level
from tamis.ops.kernel_map.library import planned_rows, unpacked

__all__ = [
    "KERNELS",
    "KernelMap",
    "build_map",
    "density_by_l1",
    "generated_level",
    "kernel_offsets",
    "l1_distances",
    "minkowski_level",
    "planned_rows",
    "spconv_level",
    "unpacked",
]

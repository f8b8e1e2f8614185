"""Obviously right PyTorch on any device: the oracle of every test and benchmark."""

from tamis.kernels.reference.kernel_map import block_cuts, brute_force, kernel_map_binary
from tamis.kernels.reference.point_keys import point_corners, point_keys, point_range, point_rows
from tamis.kernels.reference.sparse_conv import (
    finish,
    sparse_conv_hybrid,
    sparse_conv_output_stationary,
    sparse_conv_weight_gradient,
    sparse_conv_weight_stationary,
)
from tamis.kernels.reference.sparse_pool import reduce_rows, sparse_pool, sparse_pool_gradient
from tamis.kernels.reference.spmm import ACTIVATIONS

__all__ = [
    "ACTIVATIONS",
    "block_cuts",
    "brute_force",
    "finish",
    "kernel_map_binary",
    "point_corners",
    "point_keys",
    "point_range",
    "point_rows",
    "reduce_rows",
    "sparse_conv_hybrid",
    "sparse_conv_output_stationary",
    "sparse_conv_weight_gradient",
    "sparse_conv_weight_stationary",
    "sparse_pool",
    "sparse_pool_gradient",
]

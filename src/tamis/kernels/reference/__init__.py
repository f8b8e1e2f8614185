"""Obviously right PyTorch on any device: the oracle of every test and benchmark."""

from tamis.kernels.reference.kernel_map import block_cuts, brute_force, kernel_map_binary
from tamis.kernels.reference.sparse_conv import (
    sparse_conv_hybrid,
    sparse_conv_output_stationary,
    sparse_conv_weight_gradient,
    sparse_conv_weight_stationary,
)
from tamis.kernels.reference.spmm import ACTIVATIONS

__all__ = [
    "ACTIVATIONS",
    "block_cuts",
    "brute_force",
    "kernel_map_binary",
    "sparse_conv_hybrid",
    "sparse_conv_output_stationary",
    "sparse_conv_weight_gradient",
    "sparse_conv_weight_stationary",
]

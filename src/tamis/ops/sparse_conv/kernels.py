"""The table of sparse convolution's kernels, one per dataflow and backend.

To add one: its file in csrc/kernels (a line each in kernels.h, table.cpp and bind_voxel.cpp) or in kernels/, its ``call`` in
kernels/cpu/sparse_conv.py, and a record here. The conformance tests and `tamis tune` read this table.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from tamis.kernels import PairLists, cpu, reference
from tamis.ops.choice import Kernel, takes_any
from tamis.ops.kernel_map import KernelMap
from tamis.ops.sparse_conv.cost import (
    HYBRID,
    TORCH_PRICES,
    ConvProblem,
    blocked_work,
    dense_offsets,
    hybrid_work,
    output_stationary_work,
    weight_stationary_work,
)

FAST = (torch.float32, torch.bfloat16, torch.float16)
ANY = (*FAST, torch.float64)


def _cut(p: ConvProblem, kernel_map: KernelMap) -> PairLists:
    return replace(kernel_map.pair_lists, cuts=kernel_map.cuts)


def _whole(p: ConvProblem, kernel_map: KernelMap) -> PairLists:
    return kernel_map.pair_lists


def _split(p: ConvProblem, kernel_map: KernelMap) -> PairLists:
    return replace(
        kernel_map.pair_lists, dense_offsets=torch.tensor(dense_offsets(p), dtype=torch.int64, device="cpu")
    )


# Prices of the blocked kernel: measured on a Zen 5 core, lidar and ellipsoid scenes, 16 to 128 channels, all cells within 25 %.
KERNELS: tuple[Kernel[ConvProblem], ...] = (
    Kernel(
        name="cpu/sparse_conv_blocked",
        dtypes=FAST,
        refuses=takes_any,
        pack=_cut,
        packed=PairLists,
        work=blocked_work,
        prices={
            "avx512": {"mac": 0.0089, "pair": 1.2},
            "avx2": {"mac": 0.0171, "pair": 0.8},
            "baseline": {"mac": 0.0455, "pair": 1.8},
        },
        call=cpu.sparse_conv_blocked,
    ),
    Kernel(
        name="reference/sparse_conv_output_stationary",
        dtypes=ANY,
        refuses=takes_any,
        pack=_whole,
        packed=PairLists,
        work=output_stationary_work,
        prices=dict.fromkeys(("avx512", "avx2", "baseline"), TORCH_PRICES),
        call=reference.sparse_conv_output_stationary,
    ),
    Kernel(
        name="reference/sparse_conv_weight_stationary",
        dtypes=ANY,
        refuses=takes_any,
        pack=_whole,
        packed=PairLists,
        work=weight_stationary_work,
        prices=dict.fromkeys(("avx512", "avx2", "baseline"), TORCH_PRICES),
        call=reference.sparse_conv_weight_stationary,
    ),
    Kernel(
        name=HYBRID,
        dtypes=ANY,
        refuses=takes_any,
        pack=_split,
        packed=PairLists,
        work=hybrid_work,
        prices=dict.fromkeys(("avx512", "avx2", "baseline"), TORCH_PRICES),
        call=reference.sparse_conv_hybrid,
    ),
)
BY_NAME = {kernel.name: kernel for kernel in KERNELS}

# The gradient of the weights by backend: (pairs, feats, grad, groups) -> (kernel_volume, c_in, c_out).
WEIGHT_GRADIENTS = {
    "cpu": cpu.sparse_conv_weight_gradient,
    "reference": reference.sparse_conv_weight_gradient,
}


def dataflow_of(kernel: str) -> str:
    """``"blocked"`` for ``"cpu/sparse_conv_blocked"``."""
    return kernel.partition("sparse_conv_")[2]


DATAFLOWS = tuple(dict.fromkeys(dataflow_of(kernel.name) for kernel in KERNELS))

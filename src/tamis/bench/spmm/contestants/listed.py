"""What a contestant is, and the literal list of those that take part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from tamis.bench.spmm.contestants import eight_bits, ours, peers
from tamis.bench.spmm.contestants.prepared import Prepared
from tamis.bench.spmm.operands import Operands
from tamis.ops.spmm import KERNELS


@dataclass(frozen=True)
class Contestant:
    """A way to compute C = A @ B.

    Attributes
    ----------
    name : str
        As in the rows.
    prepare : callable (Operands, planned_n) -> Prepared
        Does what depends on A alone; raises :class:`~tamis.bench.measurement.Unavailable` with the reason.
    role : {"dense", "packed dense", "rounded dense", "ours", "ours rounded", "ours on one kernel", "peer"}
        "dense" are the baselines, as PyTorch runs a model that nobody has compiled; "packed dense" has its weights laid out
        ahead, as ours have; "rounded dense" computes in fewer bits. "ours rounded" stores fewer bits, "ours on one kernel" is not the chooser's plan.
    """

    name: str
    prepare: Callable[[Operands, int], Prepared]
    role: Literal[
        "dense", "packed dense", "rounded dense", "ours", "ours rounded", "ours on one kernel", "peer"
    ]


DENSE = (
    Contestant("dense_mm", peers.dense_mm, "dense"),
    Contestant("dense_linear", peers.dense_linear, "dense"),
)

PACKED_DENSE = (Contestant("dense_onednn", peers.dense_onednn, "packed dense"),)

OURS = (
    Contestant("tamis_spmm", ours.tamis_spmm, "ours"),
    Contestant("tamis_linear", ours.tamis_linear, "ours"),
)

ROUNDED = (
    Contestant("tamis_bf16", ours.tamis_bf16, "ours rounded"),
    Contestant("tamis_int8", ours.tamis_int8, "ours rounded"),
)

CANDIDATES = tuple(
    Contestant(kernel.name.replace("cpu/", "tamis_on_"), ours.on_kernel(kernel.name), "ours on one kernel")
    for kernel in KERNELS
    if torch.float32 in kernel.dtypes
)

EIGHT_BITS = (
    Contestant("dense_bf16", eight_bits.dense_bf16, "rounded dense"),
    Contestant("dense_int8_x86", eight_bits.dense_int8("x86"), "rounded dense"),
    Contestant("dense_int8_onednn", eight_bits.dense_int8("onednn"), "rounded dense"),
    Contestant("dense_int8_onnxruntime", eight_bits.dense_int8_onnxruntime, "rounded dense"),
    Contestant("tamis_8_bits", eight_bits.tamis_8_bits, "ours rounded"),
)

PEERS = (
    Contestant("torch_csr", peers.torch_csr, "peer"),
    Contestant("torch_bsr", peers.torch_bsr, "peer"),
    Contestant("scipy_csr", peers.scipy_csr, "peer"),
    Contestant("mkl_csr", peers.mkl_csr, "peer"),
    Contestant("numba_csr", peers.numba_csr, "peer"),
)

ALL = DENSE + PACKED_DENSE + OURS + PEERS
ROLES = {contestant.name: contestant.role for contestant in ALL + ROUNDED + CANDIDATES + EIGHT_BITS}

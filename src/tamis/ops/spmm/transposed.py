"""Aᵀ as its kernel reads it, for the gradient of the dense operand: made at the first backward pass, kept as long as A's structure is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from tamis.formats import CSR
from tamis.kernels.cpu import PackedMatrix, isa, pack_values
from tamis.ops.choice import Kernel, choose
from tamis.ops.spmm.cost import SpmmProblem
from tamis.ops.spmm.kernels import KERNELS
from tamis.tuning import machine_for


@dataclass(frozen=True, eq=False)
class Transposed:
    """The structure of Aᵀ, the kernel that reads it, and where each of its values stands among the packed ones of A (-1: padding)."""

    kernel: Kernel[SpmmProblem]
    packed: PackedMatrix
    positions: Tensor

    def values(self, values: Tensor) -> Tensor:
        """Bring the packed values of A into the order of Aᵀ."""
        return pack_values(self.positions, values.contiguous())

    @property
    def nbytes(self) -> int:
        return self.packed.nbytes + self.positions.nbytes


# Keyed by the tensor with which every packed structure begins: it passes through operators as it is, records do not.
_KEPT: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def transposed(packed: PackedMatrix, n: int) -> Transposed:
    """Return Aᵀ of A as it is packed; a kernel is chosen for n columns when it is made, and serves every number."""
    kept: Transposed | None = _KEPT.get(packed.tensors[0])
    if kept is None:
        _KEPT[packed.tensors[0]] = kept = _transpose(packed, n)
    return kept


def kept_bytes(packed: PackedMatrix) -> int:
    """Bytes of Aᵀ; 0 if no backward pass has asked for it."""
    kept: Transposed | None = _KEPT.get(packed.tensors[0])
    return 0 if kept is None else kept.nbytes


@torch.no_grad()
def _transpose(packed: PackedMatrix, n: int) -> Transposed:
    """Called inside an operator, or where nothing observes: there is nothing to hide from a tracer."""
    rows, columns = packed.entries()
    slots = (rows >= 0).nonzero().squeeze(1)
    slots = slots[torch.argsort(columns[slots] * packed.m + rows[slots])]
    counts = torch.bincount(columns[slots], minlength=packed.k)
    crow_indices = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).int()
    values = torch.zeros(slots.numel(), dtype=torch.float32, device="cpu")
    a = CSR(crow_indices, rows[slots].int(), values, (packed.k, packed.m))
    threads = torch.get_num_threads()
    problem = SpmmProblem.of(a, n, machine_for(isa(), threads), threads)
    kernel = choose("gradient of spmm(a, b)", KERNELS, problem).kernel
    structure, entries = kernel.pack(problem, a)
    slots = slots.new_zeros(1) if slots.numel() == 0 else slots  # for the indices of padding
    return Transposed(
        kernel, structure, torch.where(entries < 0, -1, slots[entries.clamp(min=0).long()]).int()
    )

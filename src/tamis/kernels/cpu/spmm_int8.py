"""``csrc/kernels/spmm_int8.cpp``: y = act(row_scale * (x in 8 bits) @ A^T + bias), A in quads of int8 weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from tamis.kernels.cpu.native import ACTIVATIONS, ELEMENTS, native
from tamis.kernels.cpu.operands import check_operands
from tamis.kernels.cpu.spmm_pack import MAX_BLOCK_COLS, PanelMatrix, pack_panels

QUAD = 4  # weights of a row, side by side, that one instruction multiplies
MAX_INT8_COLUMNS = QUAD * MAX_BLOCK_COLS


@dataclass(frozen=True, eq=False)
class QuadMatrix:
    """A matrix whose rows are stored in quads, packed as a :class:`PanelMatrix` of one quad per entry."""

    names: ClassVar = PanelMatrix.names

    quads: PanelMatrix

    @classmethod
    def from_tensors(cls, tensors: Sequence[Tensor], sizes: Sequence[int]) -> Self:
        """Return the record of which ``tensors`` and ``sizes`` are the parts."""
        return cls(PanelMatrix.from_tensors(tensors, sizes))

    @property
    def m(self) -> int:
        return self.quads.m

    @property
    def k(self) -> int:
        return QUAD * self.quads.k

    @property
    def slots(self) -> int:
        """Packed values, those of padding included."""
        return QUAD * self.quads.slots

    @property
    def tensors(self) -> list[Tensor]:
        return self.quads.tensors

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.quads.sizes

    @property
    def nbytes(self) -> int:
        return self.quads.nbytes

    @property
    def native(self) -> Any:
        return self.quads.native

    def entries(self) -> tuple[Tensor, Tensor]:
        """Row and column of each packed value, int64; -1 and -1 for padding."""
        rows, columns = (_each_of_four(t) for t in self.quads.entries())
        within = torch.arange(QUAD, device=rows.device).repeat(rows.numel() // QUAD)
        return rows, torch.where(rows < 0, -1, QUAD * columns + within)


def pack_quads(
    crow_indices: Tensor,
    col_indices: Tensor,
    blocksize: tuple[int, int],
    shape: tuple[int, int],
    part_rows: int,
) -> tuple[QuadMatrix, Tensor]:
    """Order a BSR matrix for ``spmm_int8``; blocks are a multiple of 4 wide, and 1 or a multiple of 4 high.

    Returns the structure, and where each packed value comes from in the flattened values, int32; -1 is padding.
    """
    (m, k), (height, width) = shape, (blocksize[0], blocksize[1] // QUAD)
    if height == 1 and width > 1:
        crow_indices = crow_indices * width
        within = torch.arange(width, dtype=torch.int32, device="cpu")
        col_indices = (col_indices[:, None] * width + within).flatten()
    blocks = (1, 1) if height == 1 else (height, width)
    columns = max(1, k // QUAD)
    quads, positions = pack_panels(crow_indices, col_indices, blocks, (m, k // QUAD), part_rows, columns)
    within = torch.arange(QUAD, dtype=torch.int32, device="cpu")
    values = torch.where(positions[:, None] < 0, -1, QUAD * positions[:, None] + within)
    return QuadMatrix(quads), values.flatten()


def spmm_int8(
    packed: QuadMatrix,
    values: Tensor,
    row_scale: Tensor | None,
    b: Tensor,
    bias: Tensor | None,
    activation: str | None,
    by_rows: bool,
) -> Tensor:
    """Run the kernel on checked operands, as :func:`tamis.kernels.cpu.spmm_csr`; ``values`` are int8.

    Each token, a row of ``b`` if ``by_rows`` else a column, is rounded to :func:`int8_levels` levels between its least
    and its largest value. A token that holds NaN or Inf gives NaN everywhere.
    """
    if not by_rows:
        return spmm_int8(packed, values, row_scale, b.mT, bias, activation, True).mT.contiguous()
    check_operands("spmm_int8", packed, values, row_scale, b, by_rows)
    if b.stride(1) != 1:
        b = b.contiguous()
    if bias is not None:
        bias = bias.float().contiguous()
    n, m = b.shape[0], packed.m
    c = b.new_empty(n, m)
    levels = torch.empty(
        native().int8_levels_bytes(n=n, quads=packed.quads.k), dtype=torch.uint8, device="cpu"
    )
    native().spmm_int8(
        packed.native,
        shared_ids=packed.quads.step_ids == 1,
        values=values.data_ptr(),
        row_scale=0 if row_scale is None else row_scale.data_ptr(),
        levels=levels.data_ptr(),
        b=b.data_ptr(),
        ldb=b.stride(0),
        c=c.data_ptr(),
        ldc=m,
        n=n,
        element=ELEMENTS[b.dtype],
        bias=0 if bias is None else bias.data_ptr(),
        activation=ACTIVATIONS[activation],
        threads=torch.get_num_threads(),
    )
    return c


def int8_levels() -> int:
    """Levels of an activation in ``spmm_int8``: 256, or 128 on CPUs without the instruction (VNNI)."""
    highest: int = native().int8_highest_level()
    return highest + 1


def _each_of_four(quads: Tensor) -> Tensor:
    return quads.repeat_interleave(QUAD)

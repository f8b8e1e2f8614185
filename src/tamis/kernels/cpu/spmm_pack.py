"""From CSR or BSR component tensors to the packed order of ``csrc/kernels/spmm_panels.h`` (csrc/pack_spmm.h)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from tamis.kernels.cpu.native import STORED, native

# Column ids and rows are 16 bits; block_cols and part_rows are themselves the ids of padding.
MAX_BLOCK_COLS = 65_535
MAX_PART_ROWS = 65_532


@dataclass(frozen=True, eq=False)
class PanelMatrix:
    """A matrix in the order of use: groups of four rows, within blocks of columns, within parts of rows.

    Attributes
    ----------
    m, k, part_rows, block_cols : int
        Rows and columns; rows of a part, columns of a block.
    blocks : int64 tensor (parts * blocks + 1, 2)
        First group and first step of each (part, block).
    groups : int32 tensor (groups, 3)
        ``SpmmGroup`` of csrc/kernels.h.
    ids : int16 tensor
        Unsigned column ids, relative to the block.
    positions : int32 tensor (4 * steps,)
        Where each packed value comes from in the flattened values of the format; -1 is padding.
    """

    m: int
    k: int
    part_rows: int
    block_cols: int
    blocks: Tensor
    groups: Tensor
    ids: Tensor
    positions: Tensor

    @classmethod
    def from_tensors(cls, tensors: Sequence[Tensor], sizes: Sequence[int]) -> Self:
        """Return the record of which ``tensors`` and ``sizes`` are the parts."""
        m, k, part_rows, block_cols = sizes
        return cls(m, k, part_rows, block_cols, *tensors)

    @property
    def tensors(self) -> list[Tensor]:
        return [self.blocks, self.groups, self.ids, self.positions]

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        return self.m, self.k, self.part_rows, self.block_cols

    @cached_property
    def native(self) -> Any:
        """The record of the same name in C++; holds addresses of this record's tensors."""
        return native().SpmmPacked(
            blocks=self.blocks.data_ptr(), groups=self.groups.data_ptr(), ids=self.ids.data_ptr(),
            m=self.m, k=self.k, part_rows=self.part_rows, block_cols=self.block_cols,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_tensors, (self.tensors, self.sizes)  # without addresses

    def entries(self) -> tuple[Tensor, Tensor]:
        """Row and column of each packed value, int64; padding gets some place too."""
        n_steps, n_groups = self.positions.numel() // 4, self.groups.shape[0]
        col_blocks = max(1, -(-self.k // self.block_cols))
        block = torch.arange(self.blocks.shape[0] - 1)
        block = block.repeat_interleave(self.blocks[:, 0].diff(), output_size=n_groups)
        group = torch.arange(n_groups).repeat_interleave(self.groups[:, 0].long(), output_size=n_steps)
        block_of_step = block[group]
        rows = self.groups[:, 1:].contiguous().view(torch.int16).long() & 0xFFFF
        row = (block_of_step // col_blocks * self.part_rows)[:, None] + rows[group]
        first = (block_of_step % col_blocks * self.block_cols)[:, None]
        column = (first + (self.ids.long() & 0xFFFF).view(n_steps, -1)).expand_as(row)
        return row.clamp(max=max(self.m - 1, 0)).flatten(), column.clamp(max=max(self.k - 1, 0)).flatten()


def pack_panels(
    crow_indices: Tensor,
    col_indices: Tensor,
    blocksize: tuple[int, int],
    shape: tuple[int, int],
    part_rows: int,
    block_cols: int,
) -> PanelMatrix:
    """Order a CSR (``blocksize`` (1, 1)) or BSR matrix (block height a multiple of 4) for the SpMM kernels.

    ``part_rows`` is a multiple of 4 and of the block height; indices are int32, contiguous and checked.

    Raises
    ------
    ValueError   if a part or a block is larger than its ids can say.
    """
    if part_rows > MAX_PART_ROWS or block_cols > MAX_BLOCK_COLS:
        raise ValueError(
            f"pack_panels: parts of {part_rows} rows and blocks of {block_cols} columns; ids of 16 bits "
            f"allow {MAX_PART_ROWS} rows and {MAX_BLOCK_COLS} columns."
        )
    m, k = shape
    threads = torch.get_num_threads()
    parts, col_blocks = -(-m // part_rows), max(1, -(-k // block_cols))
    source = native().PanelSource(
        crow=crow_indices.data_ptr(), col=col_indices.data_ptr(), block_rows=blocksize[0], block_columns=blocksize[1],
        m=m, k=k, part_rows=part_rows, block_cols=block_cols,
    )  # fmt: skip
    blocks = torch.empty(parts * col_blocks + 1, 2, dtype=torch.int64)
    source.count(blocks=blocks.data_ptr(), threads=threads)
    n_groups, n_steps = blocks[-1].tolist()
    groups = torch.empty(n_groups, 3, dtype=torch.int32)
    ids = torch.empty(n_steps * (4 if blocksize == (1, 1) else 1), dtype=torch.int16)
    positions = torch.empty(4 * n_steps, dtype=torch.int32)
    source.fill(
        blocks=blocks.data_ptr(), groups=groups.data_ptr(), ids=ids.data_ptr(), positions=positions.data_ptr(),
        threads=threads,
    )  # fmt: skip
    return PanelMatrix(m, k, part_rows, block_cols, blocks, groups, ids, positions)


def pack_values(positions: Tensor, values: Tensor, packed: Tensor) -> None:
    """``packed[i] = values.flatten()[positions[i]]``, 0 where the position is -1; widened if ``packed`` is float32."""
    native().pack_values(
        positions=positions.data_ptr(),
        count=positions.numel(),
        values=values.data_ptr(),
        stored=STORED[values.dtype],
        packed=packed.data_ptr(),
        widen=packed.dtype == torch.float32,
        threads=torch.get_num_threads(),
    )

"""From CSR or BSR component tensors to the packed order of ``csrc/kernels/spmm_*.cpp`` (csrc/pack_spmm.h)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tamis.kernels.cpu.native import STORED, native

# Column ids and rows are 16 bits, one value is taken by padding.
MAX_BLOCK_COLS = 65_534
MAX_PART_ROWS = 65_532


@dataclass(frozen=True, eq=False)
class SpmmStructure:
    """A matrix in the order of use: groups of four rows, within blocks of columns, within parts of rows.

    Attributes
    ----------
    blocks : int64 tensor (parts * blocks + 1, 2)
        First group and first step of each (part, block).
    groups : int32 tensor (groups, 3)
        ``SpmmGroup`` of csrc/kernels.h.
    ids : int16 tensor
        Unsigned column ids, relative to the block.
    positions : int32 tensor (4 * steps,)
        Where each packed value comes from in the flattened values; -1 is padding.
    """

    m: int
    k: int
    part_rows: int
    block_cols: int
    blocks: Tensor
    groups: Tensor
    ids: Tensor
    positions: Tensor

    @property
    def tensors(self) -> list[Tensor]:
        return [self.blocks, self.groups, self.ids, self.positions]


def pack_structure(
    crow_indices: Tensor,
    col_indices: Tensor,
    blocksize: tuple[int, int],
    shape: tuple[int, int],
    part_rows: int,
    block_cols: int,
) -> SpmmStructure:
    """Order a CSR (``blocksize`` (1, 1)) or BSR matrix (block height a multiple of 4) for the SpMM kernels.

    ``part_rows`` is a multiple of 4; indices are int32, contiguous and checked.
    """
    m, k = shape
    cpu, threads = native(), torch.get_num_threads()
    parts, col_blocks = -(-m // part_rows), max(1, -(-k // block_cols))
    blocks = torch.empty(parts * col_blocks + 1, 2, dtype=torch.int64)
    source = (crow_indices.data_ptr(), col_indices.data_ptr(), *blocksize, m, k, part_rows, block_cols)
    cpu.spmm_pack_count(*source, blocks.data_ptr(), threads)
    n_groups, n_steps = blocks[-1].tolist()
    groups = torch.empty(n_groups, 3, dtype=torch.int32)
    ids = torch.empty(n_steps * (4 if blocksize == (1, 1) else 1), dtype=torch.int16)
    positions = torch.empty(4 * n_steps, dtype=torch.int32)
    pointers = (t.data_ptr() for t in (blocks, groups, ids, positions))
    cpu.spmm_pack_fill(*source, *pointers, threads)
    return SpmmStructure(m, k, part_rows, block_cols, blocks, groups, ids, positions)


def pack_values(positions: Tensor, values: Tensor, packed: Tensor) -> None:
    """``packed[i] = values.flatten()[positions[i]]``, 0 where the position is -1; widened if ``packed`` is float32."""
    native().spmm_pack_values(
        positions.data_ptr(),
        positions.numel(),
        values.data_ptr(),
        STORED[values.dtype],
        packed.data_ptr(),
        packed.dtype == torch.float32,
        torch.get_num_threads(),
    )


def entries(packed: list[Tensor], sizes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Row and column of each packed value, int64; padding gets some place too."""
    blocks, groups, ids, positions, _ = packed
    m, k, part_rows, block_cols = sizes
    n_steps, n_groups = positions.numel() // 4, groups.shape[0]
    col_blocks = max(1, -(-k // block_cols))
    block = torch.arange(blocks.shape[0] - 1).repeat_interleave(blocks[:, 0].diff(), output_size=n_groups)
    group = torch.arange(n_groups).repeat_interleave(groups[:, 0].long(), output_size=n_steps)
    block_of_step = block[group]
    rows = groups[:, 1:].contiguous().view(torch.int16).long() & 0xFFFF
    row = (block_of_step // col_blocks * part_rows)[:, None] + rows[group]
    column = (block_of_step % col_blocks * block_cols)[:, None] + (ids.long() & 0xFFFF).view(n_steps, -1)
    column = column.expand_as(row)
    return row.clamp(max=max(m - 1, 0)).flatten(), column.clamp(max=max(k - 1, 0)).flatten()

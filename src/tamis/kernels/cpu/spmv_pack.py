"""From CSR component tensors to the strips of ``csrc/kernels/spmv_window.cpp`` (csrc/pack_window.h)."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.kernels.cpu.native import native
from tamis.kernels.cpu.spmm_pack import SpmmStructure

# Windows that the kernel is compiled for; a window begins at a multiple of 16 columns that is kept in 16 bits.
WINDOWS = (64, 128)
MAX_COLUMNS = 16 * 65_535
STEP_BYTES = 80  # WindowStep of csrc/kernels.h: strips of four rows


def pack_windows(
    crow_indices: Tensor, col_indices: Tensor, shape: tuple[int, int], part_rows: int, window: int
) -> SpmmStructure:
    """Order a CSR matrix for ``spmv_window``; ``block_cols`` of the result is the window, ``ids`` its steps.

    ``part_rows`` is a multiple of 4; indices are int32, contiguous and checked.
    """
    cpu, threads = native(), torch.get_num_threads()
    blocks = torch.empty(-(-shape[0] // part_rows) + 1, 2, dtype=torch.int64)
    source = (crow_indices.data_ptr(), col_indices.data_ptr(), *shape, part_rows, window)
    cpu.spmv_pack_count(*source, blocks.data_ptr(), threads)
    n_groups, n_steps = blocks[-1].tolist()
    groups = torch.empty(n_groups, 3, dtype=torch.int32)
    steps = torch.empty(n_steps, STEP_BYTES // 2, dtype=torch.int16)
    positions = torch.empty(64 * n_steps, dtype=torch.int32)
    cpu.spmv_pack_fill(*source, *(t.data_ptr() for t in (blocks, groups, steps, positions)), threads)
    return SpmmStructure(*shape, part_rows, window, blocks, groups, steps, positions)


def entries(packed: list[Tensor], sizes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Row and column of each packed value, int64; lanes that hold none get some place too."""
    blocks, groups, steps, *_ = packed
    m, k, part_rows, _ = sizes
    part = torch.arange(blocks.shape[0] - 1).repeat_interleave(
        blocks[:, 0].diff(), output_size=groups.shape[0]
    )
    group = torch.arange(groups.shape[0]).repeat_interleave(groups[:, 0].long(), output_size=steps.shape[0])
    rows = part[:, None] * part_rows + (groups[:, 1:].contiguous().view(torch.int16).long() & 0xFFFF)
    first = (steps[:, :4].long() & 0xFFFF) * 16
    ids = steps[:, 8:].contiguous().view(torch.uint8).view(-1, 4, 16).long()
    row = rows[group][:, :, None].expand_as(ids)
    column = first[:, :, None] + ids
    return row.clamp(max=max(m - 1, 0)).flatten(), column.clamp(max=max(k - 1, 0)).flatten()

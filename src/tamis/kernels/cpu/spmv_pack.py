"""From CSR component tensors to the strips of ``csrc/kernels/spmv_window.cpp`` (csrc/pack_window.h)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from tamis.kernels.cpu.native import native
from tamis.kernels.cpu.spmm_pack import MAX_PART_ROWS

# Windows that the kernel is compiled for; a window begins at a multiple of 16 columns that is kept in 16 bits.
WINDOWS = (64, 128)
MAX_COLUMNS = 16 * 65_535
STEP_BYTES = 80  # WindowStep of csrc/kernels.h: strips of four rows


@dataclass(frozen=True, eq=False)
class WindowMatrix:
    """A matrix as strips of up to 16 nonzeros that lie within a window; four rows at a time, within parts of rows.

    Attributes
    ----------
    m, k, part_rows, window : int
        Rows and columns; rows of a part, columns of a window.
    blocks : int64 tensor (parts + 1, 2)
        First group and first step of each part.
    groups : int32 tensor (groups, 3)
        ``SpmmGroup`` of csrc/kernels.h.
    steps : int16 tensor (steps, 40)
        ``WindowStep`` of csrc/kernels.h.
    positions : int32 tensor (64 * steps,)
        Where each packed value comes from in the flattened values of the format; -1 is padding.
    """

    m: int
    k: int
    part_rows: int
    window: int
    blocks: Tensor
    groups: Tensor
    steps: Tensor
    positions: Tensor

    @classmethod
    def from_tensors(cls, tensors: Sequence[Tensor], sizes: Sequence[int]) -> Self:
        """Return the record of which ``tensors`` and ``sizes`` are the parts."""
        m, k, part_rows, window = sizes
        return cls(m, k, part_rows, window, *tensors)

    @property
    def tensors(self) -> list[Tensor]:
        return [self.blocks, self.groups, self.steps, self.positions]

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        return self.m, self.k, self.part_rows, self.window

    @cached_property
    def native(self) -> Any:
        """The matrix in C++, where ids are the steps and block_cols the window; holds addresses of these tensors."""
        return native().SpmmPacked(
            blocks=self.blocks.data_ptr(), groups=self.groups.data_ptr(), ids=self.steps.data_ptr(),
            m=self.m, k=self.k, part_rows=self.part_rows, block_cols=self.window,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_tensors, (self.tensors, self.sizes)  # without addresses

    def entries(self) -> tuple[Tensor, Tensor]:
        """Row and column of each packed value, int64; lanes that hold none get some place too."""
        n_steps, n_groups = self.steps.shape[0], self.groups.shape[0]
        part = torch.arange(self.blocks.shape[0] - 1)
        part = part.repeat_interleave(self.blocks[:, 0].diff(), output_size=n_groups)
        group = torch.arange(n_groups).repeat_interleave(self.groups[:, 0].long(), output_size=n_steps)
        rows = self.groups[:, 1:].contiguous().view(torch.int16).long() & 0xFFFF
        rows = part[:, None] * self.part_rows + rows
        first = (self.steps[:, :4].long() & 0xFFFF) * 16
        ids = self.steps[:, 8:].contiguous().view(torch.uint8).view(-1, 4, 16).long()
        row, column = rows[group][:, :, None].expand_as(ids), first[:, :, None] + ids
        return row.clamp(max=max(self.m - 1, 0)).flatten(), column.clamp(max=max(self.k - 1, 0)).flatten()


def pack_windows(
    crow_indices: Tensor, col_indices: Tensor, shape: tuple[int, int], part_rows: int, window: int
) -> WindowMatrix:
    """Order a CSR matrix for ``spmv_window``.

    ``part_rows`` is a multiple of 4, ``window`` one of ``WINDOWS``; indices are int32, contiguous and checked.

    Raises
    ------
    ValueError   if a part has more rows, or the matrix more columns, than ids of 16 bits can say.
    """
    m, k = shape
    if part_rows > MAX_PART_ROWS or k > MAX_COLUMNS:
        raise ValueError(
            f"pack_windows: parts of {part_rows} rows and {k} columns; ids of 16 bits allow {MAX_PART_ROWS} rows "
            f"and {MAX_COLUMNS} columns."
        )
    threads = torch.get_num_threads()
    source = native().WindowSource(
        crow=crow_indices.data_ptr(), col=col_indices.data_ptr(), m=m, k=k, part_rows=part_rows, window=window
    )
    blocks = torch.empty(-(-m // part_rows) + 1, 2, dtype=torch.int64)
    source.count(blocks=blocks.data_ptr(), threads=threads)
    n_groups, n_steps = blocks[-1].tolist()
    groups = torch.empty(n_groups, 3, dtype=torch.int32)
    steps = torch.empty(n_steps, STEP_BYTES // 2, dtype=torch.int16)
    positions = torch.empty(64 * n_steps, dtype=torch.int32)
    source.fill(
        blocks=blocks.data_ptr(), groups=groups.data_ptr(), steps=steps.data_ptr(), positions=positions.data_ptr(),
        threads=threads,
    )  # fmt: skip
    return WindowMatrix(m, k, part_rows, window, blocks, groups, steps, positions)

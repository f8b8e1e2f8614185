"""From CSR component tensors to the strips of ``csrc/kernels/spmv_window.cpp`` (csrc/pack_window.h)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from tamis.kernels.cpu.native import address, native
from tamis.kernels.cpu.spmm_pack import MAX_PART_ROWS

# Windows that the kernel is compiled for; a window begins at a multiple of 16 columns that is kept in 16 bits.
WINDOWS = (64, 128)
MAX_COLUMNS = 16 * 65_535
STEP_BYTES, STEP_VALUES = 80, 64  # WindowStep of csrc/kernels.h: strips of four rows, 16 values each


@dataclass(frozen=True, eq=False)
class WindowMatrix:
    """A matrix as strips of up to 16 nonzeros that lie within a window; four rows at a time, within parts of rows.

    Attributes
    ----------
    m, k, part_rows, window : int
        Rows and columns; rows of a part, columns of a window.
    blocks : int64 tensor (parts + 1, 2)
        First group and first step of each part.
    groups : int16 tensor (groups, 5)
        ``SpmmGroup`` of csrc/kernels.h.
    steps : int16 tensor (steps, 40)
        ``WindowStep`` of csrc/kernels.h.
    """

    names: ClassVar = ("blocks", "groups", "steps")

    m: int
    k: int
    part_rows: int
    window: int
    blocks: Tensor
    groups: Tensor
    steps: Tensor

    def __post_init__(self) -> None:
        """Sizes that fit together, as an operator's caller may bring any."""
        parts = -(-self.m // self.part_rows)
        if self.blocks.shape != (parts + 1, 2) or self.groups.shape[1:] != (5,):
            raise ValueError(
                f"WindowMatrix: {self.sizes} needs blocks of shape ({parts + 1}, 2) and groups of shape (.., 5), "
                f"but got {tuple(self.blocks.shape)} and {tuple(self.groups.shape)}."
            )

    @classmethod
    def from_tensors(cls, tensors: Sequence[Tensor], sizes: Sequence[int]) -> Self:
        """Return the record of which ``tensors`` and ``sizes`` are the parts."""
        m, k, part_rows, window = sizes
        return cls(m, k, part_rows, window, *tensors)

    @property
    def tensors(self) -> list[Tensor]:
        return [self.blocks, self.groups, self.steps]

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.m, self.k, self.part_rows, self.window

    @cached_property
    def native(self) -> Any:
        """The matrix in C++; holds addresses of this record's tensors."""
        return native().WindowPacked(
            parts=address(self.blocks), groups=address(self.groups), steps=address(self.steps),
            m=self.m, k=self.k, part_rows=self.part_rows, window=self.window,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_tensors, (self.tensors, self.sizes)  # without addresses

    @cached_property
    def slots(self) -> int:
        """Packed values, those of lanes that hold none included."""
        return STEP_VALUES * self.steps.shape[0]

    @property
    def nbytes(self) -> int:
        return self.blocks.nbytes + self.groups.nbytes + self.steps.nbytes

    def entries(self) -> tuple[Tensor, Tensor]:
        """Row and column of each packed value, int64; -1 and -1 for lanes that hold none."""
        n_steps, n_groups, device = self.steps.shape[0], self.groups.shape[0], self.steps.device
        part = torch.arange(self.blocks.shape[0] - 1, device=device)
        part = part.repeat_interleave(self.blocks[:, 0].diff(), output_size=n_groups)
        groups = self.groups.long() & 0xFFFF
        group = torch.arange(n_groups, device=device)
        group = group.repeat_interleave(groups[:, 0], output_size=n_steps)
        first, masks = self.steps[:, :4].long() & 0xFFFF, self.steps[:, 4:8].long() & 0xFFFF
        ids = self.steps[:, 8:].contiguous().view(torch.uint8).view(-1, 4, 16).long()
        row = (part[group][:, None] * self.part_rows + groups[group, 1:])[:, :, None].expand_as(ids)
        column = first[:, :, None] * 16 + ids
        padding = (masks[:, :, None] >> torch.arange(16, device=device) & 1) == 0
        return row.masked_fill(padding, -1).flatten(), column.masked_fill(padding, -1).flatten()


def pack_windows(
    crow_indices: Tensor, col_indices: Tensor, shape: tuple[int, int], part_rows: int, window: int
) -> tuple[WindowMatrix, Tensor]:
    """Order a CSR matrix for ``spmv_window``.

    Returns the structure, and where each packed value comes from in the flattened values, int32; -1 is padding.

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
        crow=address(crow_indices), col=address(col_indices), m=m, k=k, part_rows=part_rows, window=window
    )
    blocks = torch.empty(-(-m // part_rows) + 1, 2, dtype=torch.int64, device="cpu")
    source.count(blocks=address(blocks), threads=threads)
    n_groups, n_steps = blocks[-1].tolist()
    groups = torch.empty(n_groups, 5, dtype=torch.int16, device="cpu")
    steps = torch.empty(n_steps, STEP_BYTES // 2, dtype=torch.int16, device="cpu")
    positions = torch.empty(STEP_VALUES * n_steps, dtype=torch.int32, device="cpu")
    source.fill(
        blocks=address(blocks), groups=address(groups), steps=address(steps), positions=address(positions),
        threads=threads,
    )  # fmt: skip
    return WindowMatrix(m, k, part_rows, window, blocks, groups, steps), positions

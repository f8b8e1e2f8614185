"""From CSR or BSR component tensors to the packed order of ``csrc/kernels/spmm_panels.h`` (csrc/pack_spmm.h)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from tamis.kernels.cpu.native import address, native

# Column ids have 8 bits where that is enough, else 16, rows have 16; block_cols and part_rows are the ids of padding.
MAX_NARROW_BLOCK_COLS = 255
MAX_BLOCK_COLS = 65_535
MAX_PART_ROWS = 65_532


@dataclass(frozen=True, eq=False)
class PanelMatrix:
    """A matrix in the order of use: groups of four rows, within blocks of columns, within parts of rows.

    Attributes
    ----------
    m, k, part_rows, block_cols : int
        Rows and columns; rows of a part, columns of a block.
    step_ids : int
        Column ids of a step: 4 where each row has its own, 1 where the four share theirs.
    blocks : int64 tensor (parts * blocks + 1, 2)
        First group and first step of each (part, block).
    groups : int16 tensor (groups, 5)
        ``SpmmGroup`` of csrc/kernels.h.
    ids : uint8 or int16 tensor (step_ids * steps,)
        Unsigned column ids, relative to the block; ``block_cols`` is padding.
    """

    names: ClassVar = ("blocks", "groups", "ids")

    m: int
    k: int
    part_rows: int
    block_cols: int
    step_ids: int
    blocks: Tensor
    groups: Tensor
    ids: Tensor

    def __post_init__(self) -> None:
        """Sizes that fit together, as an operator's caller may bring any."""
        cells = -(-self.m // self.part_rows) * max(1, -(-self.k // self.block_cols))
        if self.blocks.shape != (cells + 1, 2) or self.groups.shape[1:] != (5,):
            raise ValueError(
                f"PanelMatrix: {self.sizes} needs blocks of shape ({cells + 1}, 2) and groups of shape (.., 5), "
                f"but got {tuple(self.blocks.shape)} and {tuple(self.groups.shape)}."
            )

    @classmethod
    def from_tensors(cls, tensors: Sequence[Tensor], sizes: Sequence[int]) -> Self:
        """Return the record of which ``tensors`` and ``sizes`` are the parts."""
        m, k, part_rows, block_cols, step_ids = sizes
        return cls(m, k, part_rows, block_cols, step_ids, *tensors)

    @property
    def tensors(self) -> list[Tensor]:
        return [self.blocks, self.groups, self.ids]

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.m, self.k, self.part_rows, self.block_cols, self.step_ids

    @cached_property
    def native(self) -> Any:
        """The matrix in C++; holds addresses of this record's tensors."""
        return native().SpmmPacked(
            blocks=address(self.blocks), groups=address(self.groups), ids=address(self.ids),
            wide_ids=self.ids.dtype == torch.int16, m=self.m, k=self.k, part_rows=self.part_rows,
            block_cols=self.block_cols,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_tensors, (self.tensors, self.sizes)  # without addresses

    @cached_property
    def slots(self) -> int:
        """Packed values: four per step."""
        return 4 * (self.ids.numel() // self.step_ids)

    @property
    def nbytes(self) -> int:
        return self.blocks.nbytes + self.groups.nbytes + self.ids.nbytes

    def entries(self) -> tuple[Tensor, Tensor]:
        """Row and column of each packed value, int64; -1 and -1 for padding."""
        n_steps, n_groups = self.ids.numel() // self.step_ids, self.groups.shape[0]
        col_blocks = max(1, -(-self.k // self.block_cols))
        device = self.blocks.device
        block = torch.arange(self.blocks.shape[0] - 1, device=device)
        block = block.repeat_interleave(self.blocks[:, 0].diff(), output_size=n_groups)
        groups = self.groups.long() & 0xFFFF
        group = torch.arange(n_groups, device=device)
        group = group.repeat_interleave(groups[:, 0], output_size=n_steps)
        block_of_step, row_ids = block[group], groups[group, 1:]
        column_ids = (self.ids.long() & 0xFFFF).view(n_steps, self.step_ids).expand_as(row_ids)
        row = (block_of_step // col_blocks * self.part_rows)[:, None] + row_ids
        column = (block_of_step % col_blocks * self.block_cols)[:, None] + column_ids
        padding = column_ids == self.block_cols
        return row.masked_fill(padding, -1).flatten(), column.masked_fill(padding, -1).flatten()


def pack_panels(
    crow_indices: Tensor,
    col_indices: Tensor,
    blocksize: tuple[int, int],
    shape: tuple[int, int],
    part_rows: int,
    block_cols: int,
) -> tuple[PanelMatrix, Tensor]:
    """Order a CSR (``blocksize`` (1, 1)) or BSR matrix (block height a multiple of 4) for the SpMM kernels.

    Returns the structure, and where each packed value comes from in the flattened values, int32; -1 is padding.

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
        crow=address(crow_indices), col=address(col_indices), block_rows=blocksize[0], block_columns=blocksize[1],
        m=m, k=k, part_rows=part_rows, block_cols=block_cols,
    )  # fmt: skip
    blocks = torch.empty(parts * col_blocks + 1, 2, dtype=torch.int64, device="cpu")
    source.count(blocks=address(blocks), threads=threads)
    n_groups, n_steps = blocks[-1].tolist()
    groups = torch.empty(n_groups, 5, dtype=torch.int16, device="cpu")
    step_ids, wide = 4 if blocksize == (1, 1) else 1, block_cols > MAX_NARROW_BLOCK_COLS
    ids = torch.empty(n_steps * step_ids, dtype=torch.int16 if wide else torch.uint8, device="cpu")
    positions = torch.empty(4 * n_steps, dtype=torch.int32, device="cpu")
    source.fill(
        blocks=address(blocks), groups=address(groups), ids=address(ids), wide_ids=wide,
        positions=address(positions), threads=threads,
    )  # fmt: skip
    return PanelMatrix(m, k, part_rows, block_cols, step_ids, blocks, groups, ids), positions


def pack_values(positions: Tensor, values: Tensor) -> Tensor:
    """Return ``values.flatten()[positions]``, 0 where the position is -1; ``values`` is contiguous, of 1, 2 or 4 bytes.

    Raises
    ------
    ValueError   if positions are not contiguous int32, or the values have another size.
    """
    if (
        positions.dtype != torch.int32
        or not positions.is_contiguous()
        or values.element_size() not in (1, 2, 4)
    ):
        raise ValueError(
            f"pack_values: expected contiguous int32 positions and values of 1, 2 or 4 bytes, but got "
            f"{positions.dtype} and {values.dtype}."
        )
    packed = torch.empty(positions.numel(), dtype=values.dtype, device="cpu")
    inside = native().pack_values(
        positions=address(positions),
        count=positions.numel(),
        values=address(values),
        size=values.numel(),
        bytes=values.element_size(),
        packed=address(packed),
        threads=torch.get_num_threads(),
    )
    if not inside:
        raise ValueError(f"pack_values: a position lies beyond the {values.numel()} values.")
    return packed


def unpack_values(positions: Tensor, packed: Tensor, count: int) -> Tensor:
    """Return ``count`` values: those of ``packed`` at their positions (-1: nowhere), 0 where there is none; of 2 or 4 bytes.

    Positions are distinct, and ``packed`` is contiguous.

    Raises
    ------
    ValueError   if positions are not as many contiguous int32, or the values have another size.
    """
    if (
        positions.dtype != torch.int32
        or not positions.is_contiguous()
        or positions.shape != packed.shape
        or packed.element_size() not in (2, 4)
    ):
        raise ValueError(
            f"unpack_values: expected contiguous int32 positions of as many values of 2 or 4 bytes, but got {positions.dtype} of shape "
            f"{tuple(positions.shape)} and {packed.dtype} of shape {tuple(packed.shape)}."
        )
    values = torch.zeros(count, dtype=packed.dtype, device="cpu")
    inside = native().unpack_values(
        positions=address(positions),
        count=positions.numel(),
        packed=address(packed),
        bytes=packed.element_size(),
        values=address(values),
        size=count,
        threads=torch.get_num_threads(),
    )
    if not inside:
        raise ValueError(f"unpack_values: a position lies beyond the {count} values.")
    return values

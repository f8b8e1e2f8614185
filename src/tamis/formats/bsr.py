"""Block-compressed sparse rows: dense blocks of any shape on a grid (column vectors, row vectors, squares)."""

from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from tamis.formats import coordinates, interchange, invariants, zeros
from tamis.formats.csr import CSR
from tamis.formats.matrix import SparseMatrix


@dataclass(frozen=True, eq=False, repr=False)
class BSR(SparseMatrix):
    """Sparse (m, k) matrix of dense (bh, bw) blocks, stored block row by block row.

    Both sides of the matrix are multiples of the block. The constructor keeps the tensors it is given (no copy) where
    they are contiguous and of the right dtype, and checks them. ``nnz`` counts every value of every stored block.

    Parameters
    ----------
    crow_indices : Tensor, shape (m / bh + 1,), int32
        Block-row pointers: start at 0, never descend, end at the number of blocks. int64 is narrowed.
    col_indices : Tensor, shape (nblocks,), int32
        Block columns in [0, k / bw), strictly ascending inside each block row. int64 is narrowed.
    values : Tensor, shape (nblocks, bh, bw)
        float32, float64, float16, bfloat16, or int8 with ``row_scale``.
    shape : (int, int)
        Rows m and columns k, in elements.
    row_scale : Tensor, shape (m,), float32, optional
        For int8 values: value = int8 * row_scale[row].

    Raises
    ------
    ValueError, TypeError
        Naming the field and the first bad block row.

    Examples
    --------
    >>> a = tamis.BSR.from_dense(torch.eye(4), blocksize=(2, 2))
    >>> a.values.shape, a.col_indices.tolist()
    (torch.Size([2, 2, 2]), [0, 1])
    """

    crow_indices: Tensor
    col_indices: Tensor
    values: Tensor
    shape: tuple[int, int]
    row_scale: Tensor | None = None
    _memo: dict[Any, Any] = field(default_factory=dict, init=False)
    _structure_memo: dict[Any, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        call = "BSR(crow_indices, col_indices, values, shape)"
        shape = invariants.check_shape(call, self.shape)
        values = invariants.check_values(call, self.values, 3)
        _check_blocksize(call, shape, (values.shape[1], values.shape[2]))
        checked = {
            "shape": shape,
            "values": values,
            "crow_indices": invariants.check_indices(call, "crow_indices", self.crow_indices),
            "col_indices": invariants.check_indices(call, "col_indices", self.col_indices),
            "row_scale": invariants.check_row_scale(call, values, self.row_scale, shape[0]),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        invariants.check_devices(call, **self.components())
        self.check()

    def check(self) -> None:
        """Check every invariant again, after tensors may have been changed in place; ValueError names the field."""
        call = "BSR(crow_indices, col_indices, values, shape)"
        (rows, columns), (height, width) = self.shape, self.blocksize
        blocks = self.values.shape[0]
        if self.col_indices.numel() != blocks:
            raise ValueError(
                f"{call}: col_indices has {self.col_indices.numel()} entries, but values has {blocks} blocks."
            )
        invariants.check_pointers(call, "crow_indices", self.crow_indices, rows // height, blocks)
        cure = "sort the blocks of each block row by column"
        invariants.check_columns(
            call, "col_indices", self.crow_indices, self.col_indices, columns // width, cure
        )

    @property
    def blocksize(self) -> tuple[int, int]:
        """Height and width of a block."""
        return self.values.shape[1], self.values.shape[2]

    @classmethod
    def from_dense(
        cls,
        w: Tensor,
        blocksize: tuple[int, int],
        *,
        mask: Tensor | None = None,
        row_scale: Tensor | None = None,
    ) -> Self:
        """Store every block that holds a nonzero entry, or an entry that ``mask`` names; the rest of it is +0.0.

        Parameters
        ----------
        w : Tensor, shape (m, k)
            float32, float64, float16, bfloat16, or int8 with ``row_scale``. Gradients flow back to ``w``.
        blocksize : (int, int)
            Height and width of a block; must divide m and k.
        mask : Tensor, shape (m, k), bool, optional
            Entries to store whatever their value. Without it NaN is stored, 0.0 and -0.0 are not.
        row_scale : Tensor, shape (m,), float32, optional
        """
        call = "BSR.from_dense(w, blocksize)"
        stored = zeros.entries_to_store(call, w, mask)
        height, width = blocksize = _check_blocksize(call, tuple(w.shape), blocksize)
        grid = (w.shape[0] // height, height, w.shape[1] // width, width)
        occupied = stored.reshape(grid).any(dim=3).any(dim=1)
        rows, columns = occupied.nonzero(as_tuple=True)
        blocks = zeros.with_fill(w, stored).reshape(grid).transpose(1, 2)[rows, columns]
        pointers = coordinates.pointers_from_sorted(rows, grid[0], 1)
        return cls(pointers, columns.int(), blocks, (w.shape[0], w.shape[1]), row_scale)

    @classmethod
    def from_csr(cls, a: CSR, blocksize: tuple[int, int]) -> Self:
        """Gather the stored entries of ``a`` into blocks; what no entry fills is +0.0."""
        call = "BSR.from_csr(a, blocksize)"
        height, width = _check_blocksize(call, a.shape, blocksize)
        rows, columns = a.row_indices(), a.col_indices.long()
        block_columns = a.shape[1] // width
        keys = (rows // height) * block_columns + columns // width
        blocks, block_of_value = torch.unique(keys, return_inverse=True)
        invariants.check_count(call, "values", blocks.numel() * height * width)
        empty = torch.zeros((blocks.numel(), height, width), dtype=a.dtype, device=a.device)
        values = empty.index_put((block_of_value, rows % height, columns % width), a.values)
        pointers = coordinates.pointers_from_sorted(blocks, a.shape[0] // height, block_columns)
        return cls(pointers, (blocks % max(block_columns, 1)).int(), values, a.shape, a.row_scale)

    @classmethod
    def from_torch(cls, tensor: Tensor, blocksize: tuple[int, int] | None = None) -> Self:
        """Build from a torch.sparse tensor; ``blocksize`` is needed unless its layout is torch.sparse_bsr."""
        call = "BSR.from_torch(tensor, blocksize)"
        interchange.check_torch_sparse(call, tensor)
        if tensor.layout != torch.sparse_bsr or blocksize not in (None, tuple(tensor.values().shape[1:])):
            if blocksize is None:
                raise ValueError(
                    f"{call}: a tensor of layout {tensor.layout} has no blocks; give blocksize=(bh, bw)."
                )
            return cls.from_csr(CSR.from_torch(tensor), blocksize)
        return cls(
            tensor.crow_indices(), tensor.col_indices(), tensor.values(), (tensor.shape[0], tensor.shape[1])
        )

    @classmethod
    def from_scipy(cls, matrix: Any, blocksize: tuple[int, int] | None = None) -> Self:
        """Build from a scipy.sparse matrix or array; ``blocksize`` is needed unless it is of format "bsr"."""
        call = "BSR.from_scipy(matrix, blocksize)"
        a = CSR.from_scipy(matrix)
        if blocksize is None:
            if matrix.format != "bsr":
                raise ValueError(
                    f"{call}: a matrix of format {matrix.format!r} has no blocks; give blocksize=(bh, bw)."
                )
            blocksize = (int(matrix.blocksize[0]), int(matrix.blocksize[1]))
        return cls.from_csr(a, blocksize)

    def to_csr(self) -> CSR:
        """Return the same matrix as CSR; entries that are +0.0 are taken for fill and left out."""
        height, width = self.blocksize
        blocks, i, j = zeros.is_not_fill(self.values).nonzero(as_tuple=True)
        rows = self._block_rows()[blocks] * height + i
        columns = self.col_indices[blocks].long() * width + j
        values = self.values[blocks, i, j]
        return CSR.from_coo(rows, columns, values, self.shape, row_scale=self.row_scale, duplicates="error")

    def to_dense(self) -> Tensor:
        """Return the dense (m, k) tensor; float32 for int8 values. Differentiable in ``values``."""
        (rows, columns), (height, width) = self.shape, self.blocksize
        values, block_columns = self.scaled_values(), columns // width
        places = self._block_rows() * block_columns + self.col_indices
        grid = torch.zeros(
            (rows // height * block_columns, height, width), dtype=values.dtype, device=self.device
        )
        blocks = grid.index_put((places,), values).view(rows // height, block_columns, height, width)
        return blocks.transpose(1, 2).reshape(rows, columns)

    def to_torch(self) -> Tensor:
        """Return a torch.sparse_bsr tensor on the same index and value tensors (int8 values multiplied out)."""
        return interchange.bsr_to_torch(self.crow_indices, self.col_indices, self.scaled_values(), self.shape)

    def to_scipy(self) -> Any:
        """Return a scipy.sparse.bsr_array (int8 values multiplied out); ModuleNotFoundError without scipy."""
        return interchange.bsr_to_scipy(self.crow_indices, self.col_indices, self.scaled_values(), self.shape)

    def _block_rows(self) -> Tensor:
        return coordinates.repeat_rows(self.crow_indices.diff(), self.values.shape[0])

    def spread_rows(self, per_row: Tensor) -> Tensor:
        """Arrange one number per row, shape (m,), so that it broadcasts against ``values``."""
        return per_row.view(-1, self.blocksize[0])[self._block_rows()].unsqueeze(2)

    def _line_lengths(self) -> tuple[Tensor, int]:
        return self.crow_indices.diff() * self.blocksize[1], self.blocksize[0]

    def _layout(self) -> str:
        return " in {}x{} blocks".format(*self.blocksize)


def _check_blocksize(call: str, shape: tuple[int, ...], blocksize: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = (int(side) for side in blocksize)
    except (TypeError, ValueError):
        raise ValueError(f"{call}: blocksize must be two ints (bh, bw), but is {blocksize!r}.") from None
    if height < 1 or width < 1:
        raise ValueError(f"{call}: blocksize must be at least (1, 1), but is ({height}, {width}).")
    if shape[0] % height or shape[1] % width:
        below, right = -shape[0] % height, -shape[1] % width
        raise ValueError(
            f"{call}: blocks of ({height}, {width}) do not tile a matrix of shape {tuple(shape)}; choose a block that "
            f"divides it, or pad it first: torch.nn.functional.pad(w, (0, {right}, 0, {below}))."
        )
    return height, width

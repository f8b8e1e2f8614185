"""The border to torch.sparse and scipy.sparse, in terms of plain tensors."""

from typing import Any

import torch
from torch import Tensor

from tamis.formats import coordinates

Coo = tuple[Tensor, Tensor, Tensor, tuple[int, int]]

_BLOCKED = (torch.sparse_bsr, torch.sparse_bsc)
_BY_ROW = (torch.sparse_csr, torch.sparse_bsr)


def check_torch_sparse(call: str, tensor: Tensor) -> None:
    """Refuse what is not a two-dimensional torch.sparse tensor without dense or batch dimensions."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{call}: expected a torch.sparse tensor, but got {type(tensor).__name__}.")
    if tensor.layout == torch.strided:
        raise TypeError(f"{call}: the tensor is dense; use from_dense.")
    if tensor.ndim != 2 or tensor.dense_dim() != 0:
        raise ValueError(
            f"{call}: expected two sparse dimensions, but got shape {tuple(tensor.shape)} "
            f"with {tensor.dense_dim()} dense dimension(s)."
        )


def coo_from_torch(call: str, tensor: Tensor) -> Coo:
    """Return (rows, columns, values, shape) of a torch.sparse tensor of any layout, every stored entry included.

    torch does not check the indices of its sparse tensors unless asked to, so they are not believed: pointers are
    checked here, before anything is read through them, and coordinates by the caller.
    """
    check_torch_sparse(call, tensor)
    shape = (tensor.shape[0], tensor.shape[1])
    if tensor.layout == torch.sparse_coo:
        indices = tensor._indices()
        return indices[0], indices[1], tensor._values(), shape
    by_row, values = tensor.layout in _BY_ROW, tensor.values()
    pointers = tensor.crow_indices() if by_row else tensor.ccol_indices()
    minor = (tensor.col_indices() if by_row else tensor.row_indices()).long()
    block = tuple(values.shape[1:]) if tensor.layout in _BLOCKED else (1, 1)
    lines = shape[0] // block[0] if by_row else shape[1] // block[1]
    major = coordinates.rows_from_pointers(call, pointers, lines, minor)
    rows, columns = (major, minor) if by_row else (minor, major)
    if tensor.layout in _BLOCKED:
        rows, columns = _entries_of_blocks(rows, columns, block)
    return rows, columns, values.flatten(), shape


def csr_to_torch(crow_indices: Tensor, col_indices: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a torch.sparse_csr tensor on these tensors."""
    return torch.sparse_csr_tensor(crow_indices, col_indices, values, shape, check_invariants=False)


def bsr_to_torch(crow_indices: Tensor, col_indices: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a torch.sparse_bsr tensor on these tensors."""
    return torch.sparse_bsr_tensor(crow_indices, col_indices, values, shape, check_invariants=False)


def coo_from_scipy(call: str, matrix: Any) -> Coo:
    """Return (rows, columns, values, shape) of a scipy.sparse matrix or array, copied."""
    sparse = scipy_sparse(call)
    if not sparse.issparse(matrix):
        raise TypeError(f"{call}: expected a scipy.sparse matrix or array, but got {type(matrix).__name__}.")
    if len(matrix.shape) != 2:
        raise ValueError(f"{call}: expected two dimensions, but got shape {matrix.shape}.")
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)
    coo = matrix.tocoo()
    rows, columns = (torch.from_numpy(index.copy()) for index in (coo.row, coo.col))
    try:
        values = torch.from_numpy(coo.data.copy())
    except (TypeError, ValueError):
        raise TypeError(
            f"{call}: cannot hold values of dtype {coo.data.dtype}; matrix.astype('float32') converts them."
        ) from None
    return rows, columns, values, (int(coo.shape[0]), int(coo.shape[1]))


def csr_to_scipy(crow_indices: Tensor, col_indices: Tensor, values: Tensor, shape: tuple[int, int]) -> Any:
    """Return a scipy.sparse.csr_array on copies of these tensors."""
    call = "CSR.to_scipy()"
    return scipy_sparse(call).csr_array(
        _scipy_parts(call, crow_indices, col_indices, values), shape=shape, copy=True
    )


def bsr_to_scipy(crow_indices: Tensor, col_indices: Tensor, values: Tensor, shape: tuple[int, int]) -> Any:
    """Return a scipy.sparse.bsr_array on copies of these tensors."""
    call = "BSR.to_scipy()"
    return scipy_sparse(call).bsr_array(
        _scipy_parts(call, crow_indices, col_indices, values), shape=shape, copy=True
    )


def scipy_sparse(call: str) -> Any:
    """Import scipy.sparse, or say how to get it."""
    try:
        import scipy.sparse
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"{call} needs scipy, which is not installed: pip install scipy.") from None
    return scipy.sparse


def _entries_of_blocks(
    block_rows: Tensor, block_columns: Tensor, block: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    height, width = block
    i = torch.arange(height, device=block_rows.device).view(1, height, 1)
    j = torch.arange(width, device=block_rows.device).view(1, 1, width)
    rows = (block_rows.view(-1, 1, 1) * height + i).expand(-1, height, width)
    columns = (block_columns.view(-1, 1, 1) * width + j).expand(-1, height, width)
    return rows.flatten(), columns.flatten()


def _scipy_parts(
    call: str, crow_indices: Tensor, col_indices: Tensor, values: Tensor
) -> tuple[Any, Any, Any]:
    if values.dtype in (torch.bfloat16, torch.float16):
        raise TypeError(
            f"{call}: scipy.sparse has no {values.dtype}; a.to(torch.float32).to_scipy() converts."
        )
    return tuple(part.detach().cpu().numpy() for part in (values, col_indices, crow_indices))  # type: ignore[return-value]

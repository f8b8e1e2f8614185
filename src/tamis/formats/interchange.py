"""The border to torch.sparse and scipy.sparse, in terms of plain tensors."""

from typing import Any

import torch
from torch import Tensor

Coo = tuple[Tensor, Tensor, Tensor, tuple[int, int]]


def coo_from_torch(call: str, tensor: Tensor) -> Coo:
    """Return (rows, columns, values, shape) of a two-dimensional torch.sparse tensor of any layout."""
    check_torch_sparse(call, tensor)
    rows, columns = tensor.shape
    # Uncoalesced COO tensors mean the sum of their duplicates. CSR and BSR become COO without losing stored zeros.
    coo = tensor if tensor.layout == torch.sparse_coo else tensor.to_sparse()
    indices = coo._indices()
    return indices[0], indices[1], coo._values(), (rows, columns)


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


def csr_to_torch(crow_indices: Tensor, col_indices: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a torch.sparse_csr tensor on these tensors."""
    return torch.sparse_csr_tensor(crow_indices, col_indices, values, shape, check_invariants=False)


def bsr_to_torch(crow_indices: Tensor, col_indices: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a torch.sparse_bsr tensor on these tensors."""
    return torch.sparse_bsr_tensor(crow_indices, col_indices, values, shape, check_invariants=False)


def coo_from_scipy(call: str, matrix: Any) -> Coo:
    """Return (rows, columns, values, shape) of a scipy.sparse matrix or array."""
    sparse = scipy_sparse(call)
    if not sparse.issparse(matrix):
        raise TypeError(f"{call}: expected a scipy.sparse matrix or array, but got {type(matrix).__name__}.")
    coo = matrix.tocoo()
    if len(coo.shape) != 2:
        raise ValueError(f"{call}: expected two dimensions, but got shape {coo.shape}.")
    rows, columns = (torch.from_numpy(index.copy()) for index in (coo.row, coo.col))
    return rows, columns, _values_from_numpy(call, coo.data), (int(coo.shape[0]), int(coo.shape[1]))


def csr_to_scipy(crow_indices: Tensor, col_indices: Tensor, values: Tensor, shape: tuple[int, int]) -> Any:
    """Return a scipy.sparse.csr_array."""
    sparse = scipy_sparse("CSR.to_scipy()")
    parts = _numpy("CSR.to_scipy()", values), col_indices.cpu().numpy(), crow_indices.cpu().numpy()
    return sparse.csr_array(parts, shape=shape)


def bsr_to_scipy(crow_indices: Tensor, col_indices: Tensor, values: Tensor, shape: tuple[int, int]) -> Any:
    """Return a scipy.sparse.bsr_array."""
    sparse = scipy_sparse("BSR.to_scipy()")
    parts = _numpy("BSR.to_scipy()", values), col_indices.cpu().numpy(), crow_indices.cpu().numpy()
    return sparse.bsr_array(parts, shape=shape)


def scipy_sparse(call: str) -> Any:
    """Import scipy.sparse, or say how to get it."""
    try:
        import scipy.sparse
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"{call} needs scipy, which is not installed: pip install scipy.") from None
    return scipy.sparse


def _values_from_numpy(call: str, data: Any) -> Tensor:
    try:
        return torch.from_numpy(data.copy())
    except TypeError:
        raise TypeError(
            f"{call}: cannot hold values of dtype {data.dtype}; matrix.astype('float32') converts them."
        ) from None


def _numpy(call: str, values: Tensor) -> Any:
    if values.dtype in (torch.bfloat16, torch.float16):
        raise TypeError(
            f"{call}: scipy has no sparse {values.dtype}; a.to(torch.float32).to_scipy() converts."
        )
    return values.detach().cpu().numpy()

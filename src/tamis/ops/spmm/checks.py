"""What ``spmm`` and ``linear`` refuse, and how they say it."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.formats import SparseMatrix
from tamis.ops.spmm.cost import SpmmProblem

KERNEL_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
ACTIVATIONS = (None, "relu", "gelu", "silu")


def check_matrix(call: str, a: object) -> None:
    if not isinstance(a, SparseMatrix):
        raise TypeError(
            f"{call}: a is {type(a).__name__}, expected CSR, BSR, NM or Bitmap. "
            "tamis.CSR.from_dense(w) makes one from a dense tensor, tamis.CSR.from_torch(t) from a torch.sparse one."
        )


def check_dense(call: str, name: str, b: Tensor, values: Tensor) -> None:
    """``b`` is a strided tensor of the dtype and on the device of the values of ``a``."""
    if not isinstance(b, Tensor) or b.layout != torch.strided:
        raise TypeError(f"{call}: {name} is {_kind(b)}, expected a dense tensor.")
    if b.device != values.device:
        raise ValueError(
            f"{call}: a is on {values.device}, but {name} is on {b.device}. Move one: a.to({str(b.device)!r})."
        )
    if b.dtype not in KERNEL_DTYPES:
        raise NotImplementedError(
            f"{call}: {name} is {b.dtype}; kernels take float32, bfloat16 and float16. "
            "For float64 use a.to_dense(), or cast both sides."
        )
    if b.dtype != values.dtype and values.dtype != torch.int8:
        raise ValueError(
            f"{call}: dtypes differ: a holds {values.dtype}, {name} is {b.dtype}. "
            f"Cast one: a.to({b.dtype}) or {name}.to({values.dtype})."
        )


def check_inner(call: str, name: str, inner: int, b: Tensor, a: SpmmProblem) -> None:
    """The inner sizes agree; if not, name the transposed call when that would fit."""
    k = a.shape[1]
    if inner == k:
        return
    what = f"a is {a.format} of shape {a.shape}"
    if name == "b":
        hint = "\nb.T has the right shape; did you mean spmm(a, b.T)?" if b.shape[1] == k else ""
        raise ValueError(
            f"{call}: inner sizes differ: {what}, so b needs {k} rows, but b has shape {tuple(b.shape)}.{hint}"
        )
    hint = "\nx.T has the right shape; did you mean spmm(a, x)?" if b.ndim == 2 and b.shape[0] == k else ""
    raise ValueError(
        f"{call}: inner sizes differ: {what}, so x needs a last size of {k}, but x has shape {tuple(b.shape)}.{hint}"
    )


def check_epilogue(call: str, a: SpmmProblem, bias: Tensor | None, activation: str | None) -> None:
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"{call}: activation is {activation!r}, expected one of 'relu', 'gelu', 'silu' or None."
        )
    if bias is None:
        return
    if not isinstance(bias, Tensor) or bias.shape != (a.shape[0],):
        shape = tuple(bias.shape) if isinstance(bias, Tensor) else type(bias).__name__
        raise ValueError(
            f"{call}: a has {a.shape[0]} rows, so bias needs shape ({a.shape[0]},), but got {shape}."
        )
    if bias.dtype not in KERNEL_DTYPES or bias.device != a.device:
        raise ValueError(
            f"{call}: bias is {bias.dtype} on {bias.device}, expected float32, bfloat16 or float16 on {a.device}."
        )


def _kind(b: object) -> str:
    return f"a tensor of layout {b.layout}" if isinstance(b, Tensor) else type(b).__name__

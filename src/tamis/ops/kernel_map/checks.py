"""What the pairs of a kernel map must be: kernels follow them by address."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.kernels import IDENTITY, INPUT_FIRST, OUTPUT_FIRST


def check_pairs(first: Tensor, second: Tensor, lists: Tensor, in_rows: int, out_rows: int) -> None:
    """Check dtypes, sizes, order and bounds of the lists of a :class:`KernelMap`, in a few passes over them.

    Raises
    ------
    ValueError   naming the field and what it should be.
    """
    if lists.ndim != 2 or lists.shape[1] != 3 or lists.dtype != torch.int64 or not lists.is_contiguous():
        raise _fault(
            f"lists is {lists.dtype} of shape {tuple(lists.shape)}, expected contiguous int64 (volume, 3)"
        )
    for name, column in (("first", first), ("second", second)):
        if column.ndim != 1 or column.dtype != torch.int32 or not column.is_contiguous():
            raise _fault(
                f"{name} is {column.dtype} of shape {tuple(column.shape)}, expected contiguous int32 (pairs,)"
            )
    if len(first) != len(second):
        raise _fault(f"first has {len(first)} entries, second {len(second)}, expected as many")
    spans = lists.tolist()
    roles = {role for _, _, role in spans}
    if not roles <= {OUTPUT_FIRST, INPUT_FIRST, IDENTITY}:
        raise _fault(f"lists has the roles {sorted(roles)}, expected 0, 1 or 2")
    if not all(0 <= start <= stop <= len(first) for start, stop, _ in spans):
        raise _fault(f"a list runs beyond the {len(first)} pairs")
    if in_rows != out_rows and (IDENTITY in roles or len(roles) > 1):
        raise _fault(
            f"in_rows = {in_rows} and out_rows = {out_rows}, expected the same with lists of several roles"
        )
    _check_columns(first, second, spans, (in_rows, out_rows) if INPUT_FIRST in roles else (out_rows, in_rows))


def _check_columns(first: Tensor, second: Tensor, spans: list[list[int]], rows: tuple[int, int]) -> None:
    listed = [(start, stop) for start, stop, _ in spans if start < stop]
    if not listed:
        return
    starts, stops = torch.tensor(listed, dtype=torch.int64, device=first.device).unbind(1)
    for name, column, size in (("first", first, rows[0]), ("second", second, rows[1])):
        ascends = torch.ones_like(column, dtype=torch.bool)
        torch.gt(column[1:], column[:-1], out=ascends[1:])
        ascends[starts] = True  # a list's first pair is not compared with the one before
        if not bool(ascends.all()):
            raise _fault(f"{name} does not ascend within a list")
        low, high = int(column[starts].min()), int(column[stops - 1].max())
        if low < 0 or high >= size:
            raise _fault(f"{name} runs from {low} to {high}, expected rows in [0, {size})")


def _fault(what: str) -> ValueError:
    return ValueError(
        f"KernelMap(first, second, lists, in_rows, out_rows): {what}. Index tensors must not be changed."
    )

"""Between row pointers and (row, column) coordinates: lengths, sorting, duplicates."""

from typing import Literal

import torch
from torch import Tensor

from tamis.formats import invariants


def pointers_from_lengths(lengths: Tensor) -> Tensor:
    """Return int32 row pointers of shape (m + 1,) for rows of the given lengths."""
    pointers = torch.zeros(lengths.numel() + 1, dtype=torch.int32, device=lengths.device)
    torch.cumsum(lengths, dim=0, dtype=torch.int32, out=pointers[1:])
    return pointers


def pointers_from_sorted(keys: Tensor, rows: int, width: int) -> Tensor:
    """Return int32 row pointers of ascending keys ``row * width + column``."""
    starts = torch.arange(rows + 1, device=keys.device) * width
    return torch.searchsorted(keys, starts, out_int32=True)


def pointers_to_kept(pointers: Tensor, kept: Tensor) -> Tensor:
    """Return the row pointers left when only the entries where ``kept`` (bool, one per entry) is True remain."""
    before = torch.zeros(kept.numel() + 1, dtype=torch.int32, device=kept.device)
    torch.cumsum(kept, dim=0, dtype=torch.int32, out=before[1:])
    return before[pointers]


def repeat_rows(lengths: Tensor, count: int) -> Tensor:
    """Return row i ``lengths[i]`` times, int64 of shape (count,), where ``count`` is the sum of the lengths."""
    rows = torch.arange(lengths.numel(), device=lengths.device)
    return torch.repeat_interleave(rows, lengths, output_size=count)


def rows_from_pointers(call: str, pointers: Tensor, rows: int, columns: Tensor) -> Tensor:
    """Check row pointers from outside and return the row of each entry, int64."""
    invariants.check_tensor(call, "col_indices", columns, 1)
    pointers = invariants.check_indices(call, "crow_indices", pointers)
    invariants.check_devices(call, crow_indices=pointers, col_indices=columns)
    invariants.check_pointers(call, "crow_indices", pointers, rows, columns.numel())
    return repeat_rows(pointers.diff(), columns.numel())


def sorted_rows(
    call: str,
    row_indices: Tensor,
    col_indices: Tensor,
    values: Tensor,
    shape: tuple[int, int],
    duplicates: Literal["sum", "error"],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (crow_indices, col_indices, values) of triples that come in any order.

    The sort is stable and the sums run in the order given, so that the result is the same on every run. Entries that
    share their position with no other keep their bits.
    """
    rows, columns, values = _checked_triples(call, row_indices, col_indices, values, shape)
    if duplicates not in ("sum", "error"):
        raise ValueError(f"{call}: duplicates must be 'sum' or 'error', but is {duplicates!r}.")
    width = shape[1]
    keys = rows * width + columns
    if bool((keys[1:] <= keys[:-1]).any()):
        keys, order = torch.sort(keys, stable=True)
        values = values[order]
        repeated = keys[1:] == keys[:-1]
        if bool(repeated.any()):
            if duplicates == "error":
                place = int(keys[1:][repeated][0])
                raise ValueError(
                    f"{call}: row {place // width}, column {place % width} came twice; "
                    "duplicates='sum' would add such entries."
                )
            keys, values = _summed(call, keys, values)
        columns = keys % width
    return pointers_from_sorted(keys, shape[0], width), columns.int(), values


def _checked_triples(
    call: str, row_indices: Tensor, col_indices: Tensor, values: Tensor, shape: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    sizes = invariants.check_shape(call, shape)
    values = invariants.check_values(call, values, 1)
    indices = []
    for name, given, size in zip(
        ("row_indices", "col_indices"), (row_indices, col_indices), sizes, strict=True
    ):
        index = invariants.check_indices(call, name, given).long()
        if index.shape != values.shape:
            raise ValueError(f"{call}: {name} has {index.numel()} entries, but values has {values.numel()}.")
        invariants.check_devices(call, indices=index, values=values)
        if index.is_meta:
            raise ValueError(f"{call}: {name} is on the meta device, which holds no indices to sort.")
        outside = (index < 0) | (index >= size)
        if bool(outside.any()):
            place = int(outside.nonzero()[0])
            raise ValueError(
                f"{call}: {name} must lie in [0, {size}), but entry {place} is {int(index[place])}."
            )
        indices.append(index)
    return indices[0], indices[1], values


def _summed(call: str, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    if not values.is_floating_point():
        raise ValueError(f"{call}: int8 values cannot be added; give each position once.")
    keys, counts = torch.unique_consecutive(keys, return_counts=True)
    firsts = counts.cumsum(0) - counts
    # segment_reduce adds in order, which index_add does not promise on accelerators; it starts from +0.0, which
    # would turn a single -0.0 into +0.0.
    wide = values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
    sums = torch.segment_reduce(wide, "sum", lengths=counts).to(values.dtype)
    return keys, torch.where(counts == 1, values[firsts], sums)

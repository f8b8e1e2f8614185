"""Checks shared by all formats: what a shape, an index, a pointer and a value tensor must be.

Each check is vectorised, costs one pass over its tensor and one synchronisation on an accelerator, and raises an error
that names the call, the field and the first bad place. Tensors on the "meta" device have no contents: only their
shapes, dtypes and devices are checked.
"""

import operator
from collections.abc import Sequence

import torch
from torch import Tensor

INT32_MAX = 2**31 - 1
FLOAT_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
VALUE_DTYPES = (*FLOAT_DTYPES, torch.int8)
_SMALLER_INTEGERS = (torch.int8, torch.int16, torch.uint8)


def check_shape(call: str, shape: Sequence[int]) -> tuple[int, int]:
    """Return ``shape`` as two plain ints in [0, 2**31 - 1]."""
    try:
        rows, columns = (operator.index(size) for size in shape)
    except (TypeError, ValueError):
        raise ValueError(f"{call}: shape must be two ints (rows, columns), but is {shape!r}.") from None
    if not (0 <= rows <= INT32_MAX and 0 <= columns <= INT32_MAX):
        raise ValueError(
            f"{call}: each side of shape must be in [0, 2**31 - 1], but shape is {(rows, columns)}."
        )
    return rows, columns


def check_tensor(call: str, name: str, tensor: Tensor, ndim: int) -> None:
    """Refuse what is not a strided tensor of ``ndim`` dimensions."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{call}: {name} must be a torch.Tensor, but came as {type(tensor).__name__}.")
    if tensor.layout != torch.strided:
        raise TypeError(
            f"{call}: {name} must be a plain (strided) tensor, but its layout is {tensor.layout}; "
            "for torch.sparse tensors use from_torch."
        )
    if tensor.ndim != ndim:
        raise ValueError(
            f"{call}: {name} must have {ndim} dimension(s), but has shape {tuple(tensor.shape)}."
        )


def check_count(call: str, name: str, count: int) -> None:
    """Refuse more stored values than int32 can count."""
    if count > INT32_MAX:
        raise ValueError(
            f"{call}: {name} holds {count:,} entries, but int32 indices count at most 2**31 - 1; "
            "split the matrix by rows."
        )


def check_values(call: str, values: Tensor, ndim: int) -> Tensor:
    """Return ``values`` contiguous, of a supported dtype and a countable size."""
    check_tensor(call, "values", values, ndim)
    if values.dtype not in VALUE_DTYPES:
        expected = ", ".join(str(dtype).removeprefix("torch.") for dtype in VALUE_DTYPES)
        raise TypeError(f"{call}: values have dtype {values.dtype}; expected one of {expected}.")
    check_count(call, "values", values.numel())
    return values.contiguous()


def check_row_scale(call: str, values: Tensor, row_scale: Tensor | None, rows: int) -> Tensor | None:
    """Return ``row_scale`` contiguous; int8 values need it, float values may not have it."""
    if row_scale is None:
        if values.dtype == torch.int8:
            raise ValueError(
                f"{call}: int8 values need row_scale, float32 of shape ({rows},): value = int8 * row_scale[row]."
            )
        return None
    if values.dtype != torch.int8:
        raise ValueError(f"{call}: row_scale goes with int8 values only, but values are {values.dtype}.")
    check_tensor(call, "row_scale", row_scale, 1)
    if row_scale.dtype != torch.float32 or row_scale.shape != (rows,):
        raise ValueError(
            f"{call}: row_scale must be float32 of shape ({rows},), "
            f"but is {row_scale.dtype} of shape {tuple(row_scale.shape)}."
        )
    return row_scale.contiguous()


def check_devices(call: str, **tensors: Tensor | None) -> None:
    """Refuse components that live on different devices."""
    devices = {name: tensor.device for name, tensor in tensors.items() if tensor is not None}
    if len(set(devices.values())) > 1:
        listed = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise ValueError(f"{call}: all components must be on one device, but got {listed}.")


def check_indices(call: str, name: str, indices: Tensor) -> Tensor:
    """Return one-dimensional integer ``indices`` as contiguous int32; int64 is narrowed if every entry fits."""
    check_tensor(call, name, indices, 1)
    check_count(call, name, indices.numel() - 1)
    if indices.dtype == torch.int32:
        return indices.contiguous()
    if indices.dtype in _SMALLER_INTEGERS:
        return indices.to(torch.int32)
    if indices.dtype != torch.int64:
        raise TypeError(
            f"{call}: {name} has dtype {indices.dtype}; expected int32 (or int64, which is narrowed)."
        )
    if indices.numel() and not indices.is_meta:
        low, high = (int(end) for end in indices.aminmax())
        if low < -INT32_MAX - 1 or high > INT32_MAX:
            raise ValueError(f"{call}: {name} runs from {low} to {high}, which does not fit in int32.")
    return indices.to(torch.int32)


def check_pointers(call: str, name: str, pointers: Tensor, rows: int, count: int) -> None:
    """Check that ``pointers`` has rows + 1 entries, starts at 0, never descends and ends at ``count``."""
    if pointers.numel() != rows + 1:
        raise ValueError(
            f"{call}: {name} must have one entry more than the {rows} rows, but has {pointers.numel()} entries."
        )
    if pointers.is_meta:
        return
    descends = pointers[1:] < pointers[:-1]
    first, last, descents = torch.stack(
        [pointers[0].long(), pointers[-1].long(), descends.sum(dtype=torch.int64)]
    ).tolist()
    if first != 0:
        raise ValueError(f"{call}: {name} must start at 0, but starts at {first}.")
    if descents:
        row = int(descends.nonzero()[0])
        raise ValueError(
            f"{call}: {name} must not descend, but goes from {int(pointers[row])} to {int(pointers[row + 1])} "
            f"at row {row}."
        )
    if last != count:
        raise ValueError(
            f"{call}: {name} must end at the number of stored entries, {count}, but ends at {last}."
        )


def check_columns(call: str, name: str, pointers: Tensor, columns: Tensor, width: int, cure: str) -> None:
    """Check that columns lie in [0, width) and ascend strictly inside each row. ``pointers`` are already checked."""
    if columns.numel() == 0 or columns.is_meta:
        return
    disorder = columns[1:] <= columns[:-1]
    starts = pointers[1:-1]
    # A row may start anywhere: forget the comparison of its first entry with the last of the row before.
    inner = starts[(starts > 0) & (starts < columns.numel())].long() - 1
    disorder[inner] = False
    low, high = columns.aminmax()
    low, high, faults = torch.stack([low.long(), high.long(), disorder.sum(dtype=torch.int64)]).tolist()
    if low < 0 or high >= width:
        place = int(((columns < 0) | (columns >= width)).nonzero()[0])
        raise ValueError(
            f"{call}: {name} must lie in [0, {width}), but row {_row_of(pointers, place)} holds {int(columns[place])}."
        )
    if faults:
        place = int(disorder.nonzero()[0]) + 1
        row, here, before = _row_of(pointers, place), int(columns[place]), int(columns[place - 1])
        what = "holds column {} twice" if here == before else "has column {} after {}"
        raise ValueError(
            f"{call}: {name} must ascend strictly inside each row, but row {row} {what.format(here, before)}; {cure}."
        )


def check_mask(call: str, dense: Tensor, mask: Tensor | None) -> None:
    """Refuse a mask that is not boolean, or has not the shape and device of ``dense``."""
    if mask is None:
        return
    check_tensor(call, "mask", mask, 2)
    if mask.dtype != torch.bool or mask.shape != dense.shape or mask.device != dense.device:
        raise ValueError(
            f"{call}: mask must be bool of shape {tuple(dense.shape)} on {dense.device}, "
            f"but is {mask.dtype} of shape {tuple(mask.shape)} on {mask.device}."
        )


def _row_of(pointers: Tensor, place: int) -> int:
    return int(torch.searchsorted(pointers, place, right=True)) - 1

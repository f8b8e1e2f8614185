"""Points, batch indices and cell sizes as callers give them: tensors, arrays of any layout, lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tamis.voxel.files.point_cloud import PointCloud

INT32_END = 2**31


def as_tensor(given: Any, what: str, device: torch.device | None = None) -> Tensor:
    """The tensor itself, or one of an array: foreign byte order, negative strides and read-only memory are copied.

    Raises
    ------
    ValueError, TypeError
        If it holds no numbers, or is a tensor without memory of its own; the message begins with ``what``.
    """
    if isinstance(given, np.ndarray) or (hasattr(given, "__array__") and not isinstance(given, Tensor)):
        array = np.asarray(given)
        if array.dtype.kind not in "fiub":
            raise ValueError(f"{what} has dtype {array.dtype}, but numbers are needed.")
        native = array.dtype.newbyteorder("=") if array.dtype.itemsize <= 8 else np.dtype(np.float64)
        array = np.ascontiguousarray(array, native)
        given = torch.from_numpy(array if array.flags.writeable else array.copy())
    if isinstance(given, Tensor):
        if given.layout != torch.strided or given.is_meta or given.is_complex():
            raise TypeError(
                f"{what} is a {given.layout} tensor of {given.dtype} on {given.device}, but a dense one of real values is needed."
            )
        return given if device is None else given.to(device)
    return _numbers(given, what, None, device)


def as_points(call: str, given: Any) -> Tensor:
    """Points as (P, 3) float32 or float64, contiguous, without gradient."""
    points = as_tensor(given.points if isinstance(given, PointCloud) else given, f"{call}: points")
    if points.ndim != 2 or points.shape[1] != 3 or not points.is_floating_point():
        raise ValueError(
            f"{call}: points has shape {tuple(points.shape)} and dtype {points.dtype}, but (P, 3) of a "
            f"floating type is needed: x, y, z in metres. Further columns belong into features=."
        )
    if points.dtype not in (torch.float32, torch.float64):
        points = points.float()
    return points.detach().contiguous()


def check_finite(call: str, points: Tensor, bad: int) -> None:
    """Raise if some of the points are NaN or infinite."""
    if bad:
        raise ValueError(
            f"{call}: {bad} of {len(points)} points are NaN or infinite. Remove them: points[isfinite rows]."
        )


def as_batch(call: str, given: Any, points: Tensor) -> Tensor | None:
    """The scene of each point, shape (P,), int64, from 0 to 2**31 - 1; None if none was given."""
    if given is None:
        return None
    batch = as_tensor(given, f"{call}: batch", points.device)
    if batch.shape not in ((len(points),), (len(points), 1)):
        raise ValueError(
            f"{call}: {len(points)} points, so batch needs shape ({len(points)},), but has {tuple(batch.shape)}."
        )
    batch = batch.reshape(-1)
    whole = batch.long()
    wrong = (whole < 0) | (whole >= INT32_END)
    if batch.dtype.is_floating_point:
        wrong |= ~((batch >= 0) & (batch < INT32_END) & (batch == batch.floor()))
    if bool(wrong.any()):
        raise ValueError(
            f"{call}: batch holds scenes, whole numbers from 0 to 2**31 - 1, but {int(wrong.sum())} of {len(batch)} are "
            f"something else; the first is {batch[wrong][0].item()}."
        )
    return whole.contiguous()


def as_sizes(call: str, voxel_size_m: float | Sequence[float]) -> tuple[float, float, float]:
    """The size of a cell along x, y, z, metres."""
    if isinstance(voxel_size_m, Tensor | np.ndarray):
        sizes = as_tensor(voxel_size_m, f"{call}: voxel_size_m").detach().cpu().double()
    else:
        sizes = _numbers(voxel_size_m, f"{call}: voxel_size_m", torch.float64, None)
    if sizes.ndim > 1 or sizes.numel() not in (1, 3):
        raise ValueError(f"{call}: voxel_size_m={voxel_size_m}: expected one number, or three along x, y, z.")
    x, y, z = sizes.expand(3).tolist()
    if not all(0 < size < float("inf") for size in (x, y, z)):
        raise ValueError(f"{call}: voxel_size_m={voxel_size_m}: sizes are metres and must be positive.")
    return x, y, z


def _numbers(given: Any, what: str, dtype: torch.dtype | None, device: torch.device | None) -> Tensor:
    try:
        return torch.as_tensor(given, dtype=dtype, device=device or "cpu")
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{what} is {type(given).__name__} {given!r:.40}, but numbers are needed.") from None

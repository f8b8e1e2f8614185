"""Kernel maps from sorted keys."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from tamis.formats.packed_coords import KeyLayout
from tamis.kernels import IDENTITY, INPUT_FIRST, OUTPUT_FIRST
from tamis.kernels.cpu import isa
from tamis.ops.choice import choose
from tamis.ops.kernel_map.cost import MapProblem
from tamis.ops.kernel_map.kernel_map import KernelMap
from tamis.ops.kernel_map.kernels import KERNELS
from tamis.ops.observed import unobserved
from tamis.tuning import machine_for


def kernel_offsets(
    kernel_size: Sequence[int], dilation: Sequence[int] = (1, 1, 1), padding: Sequence[int] | None = None
) -> Tensor:
    """Offsets of a kernel in the canonical order: x outermost, z innermost, each ascending.

    Without ``padding`` the kernel is centred: K = 3 is -1, 0, 1; K = 2 is 0, 1; K = 4 is -1, 0, 1, 2, times the
    dilation. With padding p it starts at -p, as in a dense convolution.

    Returns
    -------
    Tensor, shape (kernel_volume, 3), int64, in units of the input's stride.
    """
    axes = []
    for axis, (size, spread) in enumerate(zip(kernel_size, dilation, strict=True)):
        first = -((size - 1) // 2) * spread if padding is None else -padding[axis]
        axes.append([first + tap * spread for tap in range(size)])
    return torch.tensor(list(itertools.product(*axes)), dtype=torch.int64, device="cpu").reshape(-1, 3)


def build_map(
    source_keys: Tensor,
    target_keys: Tensor,
    layout: KeyLayout,
    offsets: Tensor,
    *,
    unit_z: int = 1,
    submanifold: bool = False,
    kernel: str | None = None,
) -> KernelMap:
    """Search all neighbours ``target + offset`` among the sources.

    Parameters
    ----------
    source_keys, target_keys : Tensor, shapes (N,) and (M,)
        Sorted, distinct keys of one layout, whose guard covers ``offsets``.
    offsets : Tensor, shape (kernel_volume, 3), int64
        In cells of the finest grid, canonical order.
    unit_z : int
        Spacing of the sources along z.
    submanifold : bool
        Sources and targets are the same rows. With an odd kernel only half of the offsets are searched then;
        said by the caller, because equal counts prove nothing.
    kernel : str, optional
        Take this search whatever the prediction; a name from ``tamis.ops.kernel_map.KERNELS``.

    Raises
    ------
    ValueError            if there are more voxels than int32 row numbers, or no search of that name.
    NotImplementedError   if no search serves the keys' device.
    """
    with unobserved():
        return _searched(source_keys, target_keys, layout, offsets, unit_z, submanifold, kernel)


def _searched(
    source_keys: Tensor,
    target_keys: Tensor,
    layout: KeyLayout,
    offsets: Tensor,
    unit_z: int,
    submanifold: bool,
    kernel: str | None,
) -> KernelMap:
    if max(len(source_keys), len(target_keys)) >= 2**31:
        raise ValueError(
            f"kernel_map: {len(source_keys)} voxels in, {len(target_keys)} out, but row numbers are int32. Split the scene."
        )
    volume = len(offsets)
    mirrored = submanifold and bool((offsets + offsets.flip(0) == 0).all())
    searched = offsets[: volume // 2] if mirrored else offsets
    threads = torch.get_num_threads()
    taps, step = _column(offsets)
    problem = MapProblem(
        sources=len(source_keys),
        targets=len(target_keys),
        offset_keys=tuple(layout.offset_key(*offset) for offset in searched.tolist()),
        taps=taps,
        step=step,
        spaced=step <= unit_z,
        dtype=source_keys.dtype,
        device=source_keys.device,
        machine=machine_for(isa(), threads),
        threads=threads,
    )
    chosen = choose("kernel_map(coords)", KERNELS, problem, kernel).kernel
    first, second, counts = chosen.call(source_keys, target_keys, chosen.pack(problem))
    lists = _lists(counts, volume, mirrored)
    return KernelMap(first, second, lists, len(source_keys), len(target_keys), offsets)


def _lists(counts: list[int], volume: int, mirrored: bool) -> Tensor:
    """Start, stop and role of each offset's list, from the numbers of hits of those that were searched."""
    stops = list(itertools.accumulate(counts))
    spans = [[stop - count, stop, OUTPUT_FIRST] for stop, count in zip(stops, counts, strict=True)]
    if mirrored:
        other_half = [[start, stop, INPUT_FIRST] for start, stop, _ in reversed(spans)]
        spans = [*spans, *([[0, 0, IDENTITY]] if volume % 2 else []), *other_half]
    return torch.tensor(spans, dtype=torch.int64, device="cpu").reshape(volume, 3)


def _column(offsets: Tensor) -> tuple[int, int]:
    """Taps of one kernel column (equal dx, dy) and their distance along z."""
    taps = int((offsets[:, :2] == offsets[0, :2]).all(1).sum())
    return taps, int(offsets[1, 2] - offsets[0, 2]) if taps > 1 else 1

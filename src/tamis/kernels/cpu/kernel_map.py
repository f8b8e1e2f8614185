"""Face of ``csrc/kernels/kernel_map.cpp``: the merge search of kernel maps, and the cuts of its lists."""

from __future__ import annotations

import torch
from torch import Tensor

from tamis.kernels.cpu.native import native

GRANULE = 64  # PairLists::granule
_ROOM = 2 << 20  # hits searched at once, 16 MB: more than malloc keeps would cost page faults in every call
_CHUNK = 4096  # targets per chunk at least: a chunk starts with one binary search per kernel column


def search(
    source_keys: Tensor,
    target_keys: Tensor,
    offset_keys: list[int],
    column_taps: int,
    step: int,
    spaced: bool,
) -> tuple[Tensor, Tensor, list[int]]:
    """Find the source of every target and offset by merging.

    Parameters
    ----------
    source_keys, target_keys : Tensor, shapes (N,) and (M,), int32 or int64
        Sorted, distinct, contiguous, one layout.
    offset_keys : list of int
        Packed offsets, in columns of ``column_taps`` taps that follow each other by ``step``; the last column may be
        shorter.
    spaced : bool
        Sources of one column are at least ``step`` apart.

    Returns
    -------
    target_rows, source_rows, counts
        As in the reference.
    """
    offsets = torch.tensor(offset_keys, dtype=torch.int64)
    taps, targets = max(column_taps, 1), len(target_keys)
    columns = max(1, _ROOM // max(1, taps * targets))
    room = torch.empty(min(columns * taps, len(offsets)) * targets, dtype=torch.int64)
    found = [
        _search_together(source_keys, target_keys, some, taps, step, spaced, room)
        for some in offsets.split(columns * taps)
    ]
    counts = [count for *_, part in found for count in part]
    if len(found) == 1:
        return found[0][0], found[0][1], counts
    return torch.cat([rows for rows, _, _ in found]), torch.cat([rows for _, rows, _ in found]), counts


def _search_together(
    source_keys: Tensor,
    target_keys: Tensor,
    offsets: Tensor,
    taps: int,
    step: int,
    spaced: bool,
    room: Tensor,
) -> tuple[Tensor, Tensor, list[int]]:
    """Whole columns of offsets; ``room`` is for one hit per offset and target, of which only the used pages count."""
    volume, targets, threads = len(offsets), len(target_keys), torch.get_num_threads()
    chunks = max(1, min(4 * threads, targets // _CHUNK))
    counts = torch.zeros(chunks, volume, dtype=torch.int64)
    native().kernel_map_search(
        source_keys.data_ptr(), len(source_keys), target_keys.data_ptr(), targets, source_keys.dtype == torch.int64,
        spaced, offsets.data_ptr(), volume, taps, step, chunks, room.data_ptr(), counts.data_ptr(), threads,
    )  # fmt: skip
    totals = counts.sum(0).tolist()
    target_rows = torch.empty(sum(totals), dtype=torch.int32)
    source_rows = torch.empty_like(target_rows)
    native().kernel_map_gather(
        targets, volume, chunks, room.data_ptr(), counts.data_ptr(), target_rows.data_ptr(), source_rows.data_ptr(),
        threads,
    )  # fmt: skip
    return target_rows, source_rows, totals


def block_cuts(first: Tensor, second: Tensor, lists: Tensor, rows: int) -> Tensor:
    """For each offset the position of the first pair whose output is >= g * GRANULE, shape (volume, granules + 1)."""
    granules = -(-rows // GRANULE)
    cuts = torch.empty(len(lists), granules + 1, dtype=torch.int32)
    native().kernel_map_cuts(
        first.data_ptr(), second.data_ptr(), lists.data_ptr(), len(lists), granules, rows, cuts.data_ptr(),
        torch.get_num_threads(),
    )  # fmt: skip
    return cuts

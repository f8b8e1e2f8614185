"""``csrc/kernels/kernel_map.cpp``: the merge search of kernel maps, and the cuts of its lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tamis.kernels.cpu.native import address, native
from tamis.kernels.pair_lists import GRANULE, PairLists

_ROOM = 2 << 20  # hits searched at once, 16 MB: more than malloc keeps would cost page faults in every call
_CHUNK = 4096  # targets per chunk at least: a chunk starts with one binary search per kernel column


@dataclass(frozen=True)
class KeyColumns:
    """The packed offsets of a kernel, in columns of taps that follow each other along z.

    Attributes
    ----------
    offset_keys : tuple of int
        The last column may be shorter.
    taps : int
        Offsets per column.
    step : int
        Distance of two taps.
    spaced : bool
        Sources of one column are at least ``step`` apart.
    """

    offset_keys: Sequence[int]
    taps: int
    step: int
    spaced: bool


def kernel_map_merge(
    source_keys: Tensor, target_keys: Tensor, columns: KeyColumns
) -> tuple[Tensor, Tensor, list[int]]:
    """Find the source of every target and offset by merging.

    Parameters
    ----------
    source_keys, target_keys : Tensor, shapes (N,) and (M,), int32 or int64
        Sorted, distinct, contiguous, one layout.
    columns : KeyColumns

    Returns
    -------
    target_rows, source_rows, counts
        As in the reference.
    """
    offsets = torch.tensor(columns.offset_keys, dtype=torch.int64, device="cpu")
    taps, targets = max(columns.taps, 1), len(target_keys)
    together = taps * max(1, _ROOM // max(1, taps * targets))
    room = torch.empty(min(together, len(offsets)) * targets, dtype=torch.int64, device="cpu")
    found = [
        _search_together(source_keys, target_keys, some, columns, room) for some in offsets.split(together)
    ]
    counts = [count for *_, part in found for count in part]
    if len(found) == 1:
        return found[0][0], found[0][1], counts
    return torch.cat([rows for rows, _, _ in found]), torch.cat([rows for _, rows, _ in found]), counts


def _search_together(
    source_keys: Tensor, target_keys: Tensor, offsets: Tensor, columns: KeyColumns, room: Tensor
) -> tuple[Tensor, Tensor, list[int]]:
    """Whole columns of offsets; ``room`` is for one hit per offset and target, of which only the used pages count."""
    volume, targets, threads = len(offsets), len(target_keys), torch.get_num_threads()
    chunks = max(1, min(4 * threads, targets // _CHUNK))
    counts = torch.zeros(chunks, volume, dtype=torch.int64, device="cpu")
    search = native().KernelMapSearch(
        sources=address(source_keys),
        source_count=len(source_keys),
        targets=address(target_keys),
        target_count=targets,
        wide_keys=source_keys.dtype == torch.int64,
        spaced=columns.spaced,
        offset_keys=address(offsets),
        offsets=volume,
        column_taps=max(columns.taps, 1),
        step=columns.step,
        chunks=chunks,
        hits=address(room),
        counts=address(counts),
        threads=threads,
    )
    search.search()
    totals = counts.sum(0).tolist()
    target_rows = torch.empty(sum(totals), dtype=torch.int32, device="cpu")
    source_rows = torch.empty_like(target_rows)
    search.gather(target_rows=address(target_rows), source_rows=address(source_rows))
    return target_rows, source_rows, totals


def block_cuts(pairs: PairLists) -> Tensor:
    """For each offset the position of the first pair whose output is >= g * GRANULE, shape (volume, granules + 1)."""
    granules = -(-pairs.rows // GRANULE)
    cuts = torch.empty(pairs.volume, granules + 1, dtype=torch.int32, device="cpu")
    uncut = native().PairLists(
        first=address(pairs.first),
        second=address(pairs.second),
        lists=address(pairs.lists),
        cuts=0,
        volume=pairs.volume,
        granules=granules,
    )
    native().kernel_map_cuts(uncut, rows=pairs.rows, cuts=address(cuts), threads=torch.get_num_threads())
    return cuts

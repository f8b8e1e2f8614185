"""Kernel maps, obviously right: a dictionary of coordinates, and the same by binary search in sorted keys."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tamis.kernels.pair_lists import GRANULE, PairLists


def brute_force(sources: Tensor, targets: Tensor, steps: Tensor) -> Tensor:
    """Look every neighbour of every target up in a dictionary.

    Parameters
    ----------
    sources, targets : Tensor, shapes (N, 4) and (M, 4), int32
        Columns batch, x, y, z; sources are distinct.
    steps : Tensor, shape (kernel_volume, 3)
        Offsets in cells of the coordinates, that is already multiplied by stride and dilation.

    Returns
    -------
    Tensor, shape (M, kernel_volume), int32: ``out_in[j, k] = i`` where sources[i] = targets[j] + steps[k], else -1.
    """
    row_of = {tuple(point): row for row, point in enumerate(sources.tolist())}
    table = [
        [row_of.get((b, x + dx, y + dy, z + dz), -1) for dx, dy, dz in steps.tolist()]
        for b, x, y, z in targets.tolist()
    ]
    return torch.tensor(table, dtype=torch.int32, device="cpu").reshape(len(targets), len(steps))


def kernel_map_binary(
    source_keys: Tensor, target_keys: Tensor, offset_keys: Sequence[int]
) -> tuple[Tensor, Tensor, list[int]]:
    """One binary search per target and offset, on any device.

    Parameters
    ----------
    source_keys, target_keys : Tensor, shapes (N,) and (M,), int32 or int64
        Sorted, distinct, one layout, wide enough that no ``target + offset`` leaves its fields.
    offset_keys : sequence of int
        Packed offsets.

    Returns
    -------
    target_rows, source_rows : Tensor, shape (pairs,), int32
        Hits ordered by offset, then by target. Both ascend within an offset, because adding a constant keeps order.
    counts : list of int
        Hits per offset.
    """
    none = torch.empty(0, dtype=torch.int32, device=source_keys.device)
    target_rows, source_rows, counts = [none], [none], []
    for offset in offset_keys:
        queries = target_keys + offset
        found = torch.searchsorted(source_keys, queries)
        found.clamp_(max=max(len(source_keys) - 1, 0))
        hits = (source_keys[found] == queries).nonzero().squeeze(1) if len(source_keys) else found[:0]
        target_rows.append(hits.int())
        source_rows.append(found[hits].int())
        counts.append(len(hits))
    return torch.cat(target_rows), torch.cat(source_rows), counts


def block_cuts(pairs: PairLists) -> Tensor:
    """For each offset the position of the first pair whose output is >= g * GRANULE, shape (volume, granules + 1)."""
    edges = torch.arange(0, pairs.rows + GRANULE, GRANULE, dtype=torch.int32, device=pairs.first.device)
    cuts = [
        torch.searchsorted(pairs.pairs_of(offset)[1].int(), edges, out_int32=True)
        for offset in range(pairs.volume)
    ]
    return torch.stack(cuts)

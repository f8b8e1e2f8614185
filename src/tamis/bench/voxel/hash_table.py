"""Kernel maps by an open-addressing hash table, compiled by numba: the method of most engines."""

import numba
import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
Table = npt.NDArray[np.int32]

_EMPTY = -(2**62)


@numba.njit(inline="always")
def _mixed(key: int) -> int:
    key = (key ^ (key >> 29)) * -4658895280553007687
    return key ^ (key >> 32)


@numba.njit(parallel=True)
def packed_map(sources: IntArray, targets: IntArray, offsets: IntArray) -> Table:
    """Rows of ``targets + offset`` among ``sources``, shape (outputs, offsets), -1 for none."""
    size = 1
    while size < 2 * len(sources):
        size *= 2
    keys = np.full(size, _EMPTY, np.int64)
    rows = np.empty(size, np.int32)
    for row in range(len(sources)):
        slot = _mixed(sources[row]) & (size - 1)
        while keys[slot] != _EMPTY:
            slot = (slot + 1) & (size - 1)
        keys[slot], rows[slot] = sources[row], row
    found = np.full((len(targets), len(offsets)), -1, np.int32)
    for out in numba.prange(len(targets)):
        for k in range(len(offsets)):
            query = targets[out] + offsets[k]
            slot = _mixed(query) & (size - 1)
            while keys[slot] != _EMPTY:
                if keys[slot] == query:
                    found[out, k] = rows[slot]
                    break
                slot = (slot + 1) & (size - 1)
    return found


@numba.njit(inline="always")
def _mixed3(x: int, y: int, z: int) -> int:
    mixed: int = _mixed(np.int64(x) * 73856093 ^ np.int64(y) * 19349669 ^ np.int64(z) * 83492791)  # type: ignore[arg-type]
    return mixed


@numba.njit(parallel=True)
def unpacked_map(sources: Table, targets: Table, steps: Table) -> Table:
    """The same over coordinates of shape (rows, 3), compared column by column."""
    size = 1
    while size < 2 * len(sources):
        size *= 2
    rows = np.full(size, -1, np.int32)
    for row in range(len(sources)):
        slot = _mixed3(sources[row, 0], sources[row, 1], sources[row, 2]) & (size - 1)
        while rows[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        rows[slot] = row
    found = np.full((len(targets), len(steps)), -1, np.int32)
    for out in numba.prange(len(targets)):
        for k in range(len(steps)):
            x, y, z = (
                targets[out, 0] + steps[k, 0],
                targets[out, 1] + steps[k, 1],
                targets[out, 2] + steps[k, 2],
            )
            slot = _mixed3(x, y, z) & (size - 1)
            while rows[slot] >= 0:
                row = rows[slot]
                if sources[row, 0] == x and sources[row, 1] == y and sources[row, 2] == z:
                    found[out, k] = row
                    break
                slot = (slot + 1) & (size - 1)
    return found

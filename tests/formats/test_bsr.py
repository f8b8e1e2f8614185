"""BSR: blocks of any shape, and what is refused."""

import pytest
import torch
from torch import Tensor

from tamis.formats import BSR


def ints(*numbers: int) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int32)


GOOD = {
    "crow_indices": ints(0, 2, 3),
    "col_indices": ints(0, 2, 1),
    "values": torch.ones(3, 4, 2),
    "shape": (8, 6),
}


def test_blocks_lie_where_the_indices_say() -> None:
    values = torch.arange(1.0, 25.0).view(3, 4, 2)
    dense = BSR(**GOOD | {"values": values}).to_dense()
    assert torch.equal(dense[0:4, 0:2], values[0])
    assert torch.equal(dense[0:4, 4:6], values[1])
    assert torch.equal(dense[4:8, 2:4], values[2])
    assert dense.count_nonzero() == 24


def test_sizes_count_whole_blocks() -> None:
    a = BSR(**GOOD)
    assert (a.blocksize, a.nnz, a.density) == ((4, 2), 24, 0.5)
    assert a.row_lengths().tolist() == [4] * 4 + [2] * 4
    assert a.nbytes == 4 * 24 + 4 * 3 + 4 * 3


def test_a_block_is_stored_once_any_of_its_entries_is() -> None:
    w = torch.zeros(8, 8)
    w[5, 3] = 2.0
    assert BSR.from_dense(w, (4, 1)).col_indices.tolist() == [3]
    assert BSR.from_dense(w, (4, 1)).crow_indices.tolist() == [0, 0, 1]
    assert BSR.from_dense(w, (8, 8)).values.shape == (1, 8, 8)
    assert BSR.from_dense(torch.zeros(8, 8), (4, 4)).values.shape == (0, 4, 4)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"shape": (9, 6)}, ValueError, r"blocks of \(4, 2\) do not tile a matrix of shape \(9, 6\)"),
        ({"shape": (8, 8)}, None, None),
        ({"shape": (12, 6)}, ValueError, "crow_indices must have one entry more than the 3 rows"),
        ({"crow_indices": ints(0, 3, 2)}, ValueError, "must not descend"),
        ({"crow_indices": ints(0, 2, 4)}, ValueError, "must end at the number of stored entries, 3"),
        ({"col_indices": ints(0, 3, 1)}, ValueError, r"must lie in \[0, 3\), but row 0 holds 3"),
        ({"col_indices": ints(2, 0, 1)}, ValueError, "row 0 has column 0 after 2; sort the blocks"),
        ({"col_indices": ints(2, 2, 1)}, ValueError, "row 0 holds column 2 twice"),
        ({"col_indices": ints(0, 1)}, ValueError, "col_indices has 2 entries, but values has 3 blocks"),
        ({"values": torch.ones(3, 8)}, ValueError, "values must have 3 dimension"),
        ({"values": torch.ones(3, 0, 2)}, ValueError, "blocksize must be at least"),
        ({"values": torch.ones(3, 4, 2).char()}, ValueError, "int8 values need row_scale"),
        ({"values": torch.ones(3, 4, 2, device="meta")}, ValueError, "one device"),
    ],
)
def test_bad_components_are_named(changes: dict, error: type[Exception] | None, message: str) -> None:
    if error is None:
        BSR(**GOOD | changes)
        return
    with pytest.raises(error, match=message):
        BSR(**GOOD | changes)


@pytest.mark.parametrize("blocksize", [(0, 1), (-1, 4), 4, (4,), ("a", "b"), (1, 2, 3), None])
def test_bad_blocksizes_are_refused(blocksize: object) -> None:
    with pytest.raises(ValueError, match="blocksize"):
        BSR.from_dense(torch.ones(8, 8), blocksize)


def test_a_block_that_does_not_tile_names_the_padding() -> None:
    w = torch.ones(5, 7)
    with pytest.raises(ValueError, match=r"torch.nn.functional.pad\(w, \(0, 1, 0, 3\)\)"):
        BSR.from_dense(w, (4, 2))
    assert BSR.from_dense(torch.nn.functional.pad(w, (0, 1, 0, 3)), (4, 2)).nnz == 64

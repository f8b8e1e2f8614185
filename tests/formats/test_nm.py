"""N:M: slots, fill, and what is refused."""

import pytest
import torch

from tamis.formats import CSR, NM

GOOD = {
    "values": torch.tensor([[1.0, 2, 3, 4]]),
    "indices": torch.tensor([[0, 3, 1, 2]], dtype=torch.uint8),
    "shape": (1, 8),
    "n": 2,
    "m": 4,
}


def test_slots_lie_where_the_indices_say() -> None:
    assert NM(**GOOD).to_dense().tolist() == [[1, 0, 0, 2, 0, 3, 4, 0]]


def test_bytes_and_counts() -> None:
    a = NM.from_dense(torch.zeros(16, 32), 2, 4)
    assert (a.nnz, a.density, a.nbytes) == (256, 0.5, 256 * 4 + 256)
    assert a.row_lengths().tolist() == [16] * 16


def test_free_slots_take_the_lowest_free_columns_and_hold_positive_zero() -> None:
    a = NM.from_dense(torch.tensor([[0.0, -0.0, 0, 5]]), 2, 4)
    assert a.indices.tolist() == [[0, 3]]
    assert a.values.tolist() == [[0, 5]]
    assert not a.values.signbit().any()


def test_the_trap_of_pruning_by_multiplication() -> None:
    """``w * mask`` leaves -0.0 where w was negative; that is not an entry (vllm issue 13198 tells the tale)."""
    w = -torch.ones(4, 8) * torch.tensor([1.0, 0, 0, 1]).repeat(2)
    assert w.signbit().all()
    a = NM.from_dense(w, 2, 4)
    assert a.to_csr().nnz == 16
    assert torch.equal(a.to_dense(), w)


def test_a_full_group_of_the_largest_m() -> None:
    w = torch.randn(2, 512)
    assert torch.equal(NM.from_dense(w, 256, 256).to_dense(), w)
    w[:, 1:] = 0
    assert torch.equal(NM.from_dense(w, 200, 256).to_dense(), w)


def test_too_many_entries_are_named() -> None:
    w = torch.zeros(3, 8)
    w[1, 4:7] = 1
    for build in (lambda: NM.from_dense(w, 2, 4), lambda: NM.from_csr(CSR.from_dense(w), 2, 4)):
        with pytest.raises(ValueError, match="row 1 has 3 entries in columns 4 to 7, but 2:4 has room for 2"):
            build()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n": 5}, ValueError, "1 <= n <= m <= 256"),
        ({"n": 0}, ValueError, "1 <= n <= m <= 256"),
        ({"m": 512}, ValueError, "1 <= n <= m <= 256"),
        ({"n": 2.0}, ValueError, "1 <= n <= m <= 256"),
        ({"shape": (1, 9)}, ValueError, "groups of 4 columns do not tile"),
        ({"shape": (1, 4)}, ValueError, r"needs values of shape \(1, 2\)"),
        (
            {"indices": torch.tensor([[0, 3, 1]], dtype=torch.uint8)},
            ValueError,
            r"needs indices of shape \(1, 4\)",
        ),
        ({"indices": torch.tensor([[0, 3, 1, 2]])}, TypeError, "expected uint8"),
        (
            {"indices": torch.tensor([[0, 4, 1, 2]], dtype=torch.uint8)},
            ValueError,
            r"row 0, group 0 holds \[0, 4\]",
        ),
        (
            {"indices": torch.tensor([[0, 3, 2, 1]], dtype=torch.uint8)},
            ValueError,
            r"row 0, group 1 holds \[2, 1\]",
        ),
        (
            {"indices": torch.tensor([[0, 3, 1, 1]], dtype=torch.uint8)},
            ValueError,
            r"row 0, group 1 holds \[1, 1\]",
        ),
        ({"values": torch.ones(4)}, ValueError, "values must have 2 dimension"),
        ({"values": torch.ones(1, 4).char()}, ValueError, "int8 values need row_scale"),
        ({"values": torch.ones(1, 4, device="meta")}, ValueError, "one device"),
    ],
)
def test_bad_components_are_named(changes: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        NM(**GOOD | changes)


def test_no_bytes_stand_for_many_rows_without_costing_memory() -> None:
    a = NM(torch.zeros(2**31 - 1, 0), torch.zeros(2**31 - 1, 0, dtype=torch.uint8), (2**31 - 1, 0), 2, 4)
    assert "2,147,483,647 empty" in repr(a)

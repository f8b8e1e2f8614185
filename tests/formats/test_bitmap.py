"""Bitmap: bit order, padding bits, and what is refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tamis.formats import Bitmap


def make(**changes: object) -> Bitmap:
    good = {
        "bitmap": torch.tensor([[0b10000001, 0b010], [0, 0], [0b00000010, 0b100]], dtype=torch.uint8),
        "crow_indices": torch.tensor([0, 3, 3, 5], dtype=torch.int32),
        "values": torch.arange(1.0, 6.0),
        "shape": (3, 11),
    }
    return Bitmap(**good | changes)  # type: ignore[arg-type]


def test_the_first_column_is_the_least_significant_bit() -> None:
    dense = torch.zeros(3, 11)
    dense[0, 0], dense[0, 7], dense[0, 9], dense[2, 1], dense[2, 10] = 1, 2, 3, 4, 5
    assert torch.equal(make().to_dense(), dense)
    again = Bitmap.from_dense(dense)
    assert all(
        torch.equal(a, b)
        for a, b in zip(make().components().values(), again.components().values(), strict=False)
    )


@settings(deadline=None)
@given(st.integers(0, 9), st.integers(0, 70), st.integers(0, 2**32))
def test_pattern_inverts_packing_at_every_width(rows: int, columns: int, seed: int) -> None:
    stored = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < 0.5
    a = Bitmap.from_dense(stored.float())
    assert torch.equal(a.pattern(), stored)
    assert torch.equal(a.row_lengths(), stored.sum(dim=1).int())
    assert a.nbytes == rows * ((columns + 7) // 8) + 4 * (rows + 1) + 4 * int(stored.sum())


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"bitmap": torch.zeros(3, 2)}, TypeError, "expected uint8"),
        ({"bitmap": torch.zeros(3, 1).byte()}, ValueError, r"needs a bitmap of shape \(3, 2\)"),
        (
            {"bitmap": torch.zeros(3, 2).byte()},
            ValueError,
            "row 0 of bitmap has 0 bits set, but crow_indices gives it 3",
        ),
        ({"shape": (3, 10)}, ValueError, "row 2 of bitmap has bits set beyond column 9"),
        ({"shape": (3, 17)}, ValueError, r"needs a bitmap of shape \(3, 3\)"),
        (
            {"crow_indices": torch.tensor([0, 2, 3, 5])},
            ValueError,
            "row 0 of bitmap has 3 bits set, but .* gives it 2",
        ),
        ({"crow_indices": torch.tensor([0, 3, 2, 5])}, ValueError, "must not descend"),
        ({"values": torch.ones(6)}, ValueError, "must end at the number of stored entries, 6"),
        ({"values": torch.ones(5).char()}, ValueError, "int8 values need row_scale"),
        ({"values": torch.ones(5, device="meta")}, ValueError, "one device"),
    ],
)
def test_bad_components_are_named(changes: dict[str, Tensor], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**changes)

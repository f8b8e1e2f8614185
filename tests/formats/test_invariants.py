"""Constructors against arbitrary components: a matrix that is right, or a ValueError; nothing else."""

import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tamis.formats import BSR, CSR, NM, Bitmap, SparseMatrix

small = st.integers(-1, 4)
pointers = st.lists(small, max_size=5).map(lambda numbers: torch.tensor(numbers, dtype=torch.int32))
sorted_pointers = st.lists(st.integers(0, 4), max_size=4).map(lambda n: torch.tensor([0, *sorted(n)]))
shapes = st.tuples(st.integers(0, 4), st.integers(0, 5))


def naive(crow: Tensor, col: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor | None:
    """Return the dense matrix of CSR components by definition, or None if they break an invariant."""
    crow, col = crow.tolist(), col.tolist()
    if len(crow) != shape[0] + 1 or crow[0] != 0 or crow[-1] != len(col) or len(col) != len(values):
        return None
    if any(start > end for start, end in itertools.pairwise(crow)):
        return None
    dense = torch.zeros(shape)
    for row in range(shape[0]):
        columns = col[crow[row] : crow[row + 1]]
        if columns != sorted(set(columns)) or not all(0 <= column < shape[1] for column in columns):
            return None
        for place, column in enumerate(columns, crow[row]):
            dense[row, column] = values[place]
    return dense


def built(make: type[SparseMatrix], *parts: object) -> SparseMatrix | None:
    try:
        return make(*parts)
    except ValueError:
        return None


@settings(deadline=None, max_examples=400)
@given(st.one_of(pointers, sorted_pointers), pointers, st.integers(0, 5), shapes, st.booleans())
def test_csr_accepts_exactly_what_the_definition_allows(
    crow: Tensor, col: Tensor, count: int, shape: tuple[int, int], tidy: bool
) -> None:
    if tidy and crow.numel():  # make acceptance likely enough to be tested
        shape, col = (crow.numel() - 1, shape[1]), col.abs().sort().values[: max(int(crow[-1]), 0)]
        count = col.numel()
    values = torch.arange(1.0, count + 1)
    expected, a = naive(crow, col, values, shape), built(CSR, crow, col, values, shape)
    assert (a is None) == (expected is None)
    if a is not None and expected is not None:
        assert torch.equal(a.to_dense(), expected)


@settings(deadline=None, max_examples=300)
@given(sorted_pointers, pointers, st.sampled_from([(1, 1), (2, 1), (1, 2), (3, 2)]), st.integers(0, 5))
def test_bsr_accepts_exactly_what_csr_accepts_of_its_grid(
    crow: Tensor, col: Tensor, block: tuple[int, int], width: int
) -> None:
    col = col[: int(crow[-1])]
    grid = (crow.numel() - 1, width)
    values = torch.arange(1.0, 1 + col.numel() * block[0] * block[1]).view(-1, *block)
    a = built(BSR, crow, col, values, (grid[0] * block[0], grid[1] * block[1]))
    expected = naive(crow, col, torch.ones(col.numel()), grid)
    assert (a is None) == (expected is None)
    if a is not None and expected is not None:
        assert torch.equal(a.to_dense() != 0, torch.kron(expected, torch.ones(block)) != 0)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.integers(0, 4), min_size=4, max_size=4), st.integers(0, 3), st.integers(0, 5))
def test_nm_accepts_exactly_ascending_slots(slots: list[int], n: int, m: int) -> None:
    a = built(NM, torch.ones(1, 4), torch.tensor([slots], dtype=torch.uint8), (1, 2 * m), n, m)
    pairs = [slots[:2], slots[2:]]
    right = n == 2 and m >= 2 and all(first < second < m for first, second in pairs)
    assert (a is not None) == right
    if a is not None:
        assert a.to_dense().nonzero()[:, 1].tolist() == [*pairs[0], *(m + slot for slot in pairs[1])]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.integers(0, 255), min_size=4, max_size=4), st.integers(1, 17), sorted_pointers)
def test_bitmap_accepts_exactly_pointers_that_count_its_bits(
    octets: list[int], columns: int, crow: Tensor
) -> None:
    bitmap = torch.tensor(octets, dtype=torch.uint8).view(2, 2)
    counted = [0]
    for row in bitmap.tolist():
        counted.append(counted[-1] + sum(octet.bit_count() for octet in row))
    for given_pointers in (crow, torch.tensor(counted)):
        a = built(Bitmap, bitmap, given_pointers, torch.ones(max(int(given_pointers[-1]), 0)), (2, columns))
        fits = columns > 8 and all(octet < 2 ** (columns - 8) for octet in bitmap[:, 1].tolist())
        assert (a is not None) == (fits and columns <= 16 and given_pointers.tolist() == counted)
        if a is not None:
            bits = [[octet >> bit & 1 for octet in row for bit in range(8)] for row in bitmap.tolist()]
            assert a.to_dense().int().tolist() == [row[:columns] for row in bits]

"""CSR: its invariants, unsorted and duplicate entries, transposition."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tamis.formats import CSR


def ints(*numbers: int) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int32)


GOOD = {
    "crow_indices": ints(0, 2, 2, 3),
    "col_indices": ints(0, 3, 1),
    "values": torch.ones(3),
    "shape": (3, 4),
}


def test_the_constructor_keeps_good_tensors_without_a_copy() -> None:
    a = CSR(**GOOD)
    assert all(getattr(a, name) is GOOD[name] for name in ("crow_indices", "col_indices", "values"))
    assert torch.equal(a.to_dense(), torch.tensor([[1.0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]))


def test_a_parameter_stays_the_same_parameter() -> None:
    values = torch.nn.Parameter(torch.ones(3))
    assert CSR(**GOOD | {"values": values}).values is values


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"shape": (3,)}, ValueError, "shape must be two ints"),
        ({"shape": 3}, ValueError, "shape must be two ints"),
        ({"shape": (3.0, 4)}, ValueError, "shape must be two ints"),
        ({"shape": (3, -1)}, ValueError, "each side of shape"),
        ({"shape": (3, 2**31)}, ValueError, "each side of shape"),
        ({"shape": (4, 4)}, ValueError, "crow_indices must have one entry more than the 4 rows, but has 4"),
        ({"crow_indices": ints()}, ValueError, "one entry more"),
        ({"crow_indices": ints(1, 2, 2, 3)}, ValueError, "crow_indices must start at 0, but starts at 1"),
        ({"crow_indices": ints(0, 2, 1, 3)}, ValueError, "must not descend, but goes from 2 to 1 at row 1"),
        ({"crow_indices": ints(0, -5, 2, 3)}, ValueError, "must not descend"),
        (
            {"crow_indices": ints(0, 2, 2, 2)},
            ValueError,
            "must end at the number of stored entries, 3, but ends at 2",
        ),
        (
            {"crow_indices": ints(0, 2, 2, 9)},
            ValueError,
            "must end at the number of stored entries, 3, but ends at 9",
        ),
        ({"crow_indices": ints(0, 9, 9, 3)}, ValueError, "must not descend, but goes from 9 to 3"),
        ({"col_indices": ints(0, 4, 1)}, ValueError, r"must lie in \[0, 4\), but row 0 holds 4"),
        ({"col_indices": ints(0, 3, -1)}, ValueError, "but row 2 holds -1"),
        ({"col_indices": ints(3, 0, 1)}, ValueError, "row 0 has column 0 after 3; CSR.from_unsorted"),
        ({"col_indices": ints(3, 3, 1)}, ValueError, "row 0 holds column 3 twice"),
        ({"col_indices": ints(0, 3)}, ValueError, "col_indices has 2 entries, but values has 3"),
        ({"col_indices": torch.tensor([0.0, 3, 1])}, TypeError, "col_indices has dtype torch.float32"),
        ({"col_indices": torch.tensor([True, True, True])}, TypeError, "dtype torch.bool"),
        ({"col_indices": torch.tensor([0, 2**31, 1])}, ValueError, "does not fit in int32"),
        ({"col_indices": [0, 3, 1]}, TypeError, "col_indices must be a torch.Tensor, but came as list"),
        ({"col_indices": ints(0, 3, 1).view(3, 1)}, ValueError, "must have 1 dimension"),
        ({"col_indices": ints(0, 3, 1).to_sparse()}, TypeError, "from_torch"),
        ({"values": torch.ones(3, dtype=torch.int64)}, TypeError, "values have dtype torch.int64"),
        ({"values": torch.ones(3, dtype=torch.complex64)}, TypeError, "values have dtype torch.complex64"),
        ({"values": torch.ones(3, 1)}, ValueError, "must have 1 dimension"),
        ({"values": torch.ones(3, dtype=torch.int8)}, ValueError, "int8 values need row_scale"),
        ({"values": torch.ones(3, device="meta")}, ValueError, "values on meta"),
        ({"row_scale": torch.ones(3)}, ValueError, "row_scale goes with int8 values only"),
        (
            {"values": torch.ones(3).char(), "row_scale": torch.ones(2)},
            ValueError,
            "row_scale must be float32 of shape",
        ),
        (
            {"values": torch.ones(3).char(), "row_scale": torch.ones(3).double()},
            ValueError,
            "row_scale must be float32",
        ),
    ],
)
def test_bad_components_are_named(changes: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        CSR(**GOOD | changes)
    assert str(caught.value).startswith("CSR(crow_indices, col_indices, values, shape): ")


def test_a_new_row_may_start_left_of_the_last_one_and_rows_may_be_empty_anywhere() -> None:
    a = CSR(ints(0, 0, 2, 2, 4, 4), ints(5, 6, 0, 6), torch.ones(4), (5, 7))
    assert a.row_lengths().tolist() == [0, 2, 0, 2, 0]
    with pytest.raises(ValueError, match="row 3 has column 0 after 6"):
        CSR(ints(0, 0, 2, 2, 4, 4), ints(5, 6, 6, 0), torch.ones(4), (5, 7))


def test_more_entries_than_int32_counts_are_refused_before_memory_is_touched() -> None:
    many = torch.zeros(1, dtype=torch.int8).expand(2**31)
    with pytest.raises(ValueError, match=r"int32 indices count at most 2\*\*31 - 1"):
        CSR(ints(0, 0), many, many, (1, 2**31 - 1), row_scale=torch.ones(1))


def test_wide_indices_are_narrowed_and_strided_ones_made_contiguous() -> None:
    a = CSR(torch.tensor([0, 2, 2, 3]), ints(0, 9, 3, 9, 1, 9)[::2], torch.ones(6)[::2], (3, 4))
    assert a.crow_indices.dtype == a.col_indices.dtype == torch.int32
    assert a.col_indices.is_contiguous()
    assert a.values.is_contiguous()
    assert torch.equal(a.to_dense(), CSR(**GOOD).to_dense())


def test_check_finds_indices_changed_in_place() -> None:
    a = CSR.from_dense(torch.eye(3))
    a.col_indices[1] = 7
    with pytest.raises(ValueError, match="row 1 holds 7"):
        a.check()


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1), (1, 7), (7, 1)])
def test_small_and_empty_shapes(shape: tuple[int, int]) -> None:
    for w in (torch.zeros(shape), torch.ones(shape)):
        a = CSR.from_dense(w)
        assert torch.equal(a.to_dense(), w)
        assert torch.equal(a.transpose().to_dense(), w.T)
        assert a.nnz == int(w.sum())
        assert "CSR" in repr(a)


triples = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(-9, 9)), max_size=30)


@settings(deadline=None)
@given(triples)
def test_from_coo_sorts_and_sums_as_dense_accumulation_does(entries: list[tuple[int, int, int]]) -> None:
    rows, columns, numbers = torch.tensor(entries, dtype=torch.int64).reshape(-1, 3).T
    dense = torch.zeros(5, 7).index_put((rows, columns), numbers.float(), accumulate=True)
    a = CSR.from_coo(rows, columns, numbers.float(), (5, 7))
    a.check()
    assert torch.equal(a.to_dense(), dense)
    assert a.nnz == len({entry[:2] for entry in entries})
    repeated = a.nnz < len(entries)
    if repeated:
        with pytest.raises(ValueError, match="came twice"):
            CSR.from_coo(rows, columns, numbers.float(), (5, 7), duplicates="error")


@settings(deadline=None)
@given(triples)
def test_from_unsorted_is_from_coo_by_rows(entries: list[tuple[int, int, int]]) -> None:
    entries = sorted(entries, key=lambda entry: entry[0])
    rows, columns, numbers = torch.tensor(entries, dtype=torch.int64).reshape(-1, 3).T
    pointers = torch.searchsorted(rows.contiguous(), torch.arange(6))
    a = CSR.from_unsorted(pointers, columns, numbers.double(), (5, 7))
    b = CSR.from_coo(rows, columns, numbers.double(), (5, 7))
    assert all(
        torch.equal(mine, theirs)
        for mine, theirs in zip(a.components().values(), b.components().values(), strict=False)
    )


def test_duplicates_are_added_in_the_order_given() -> None:
    large, tiny = 2.0**24, 1.0
    place = torch.zeros(3, dtype=torch.int64)
    for numbers, total in (([tiny, tiny, large], large + 2), ([large, tiny, tiny], large)):
        assert CSR.from_coo(place, place, torch.tensor(numbers), (1, 1)).values.tolist() == [total]


def test_half_precision_duplicates_are_added_in_float32() -> None:
    place = torch.zeros(3, dtype=torch.int64)
    for dtype, large in ((torch.float16, 2048.0), (torch.bfloat16, 256.0)):
        a = CSR.from_coo(place, place, torch.tensor([large, 1, 1], dtype=dtype), (1, 1))
        assert a.dtype == dtype
        assert a.values.item() == large + 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_sorting_keeps_the_bits_of_entries_without_a_duplicate(dtype: torch.dtype) -> None:
    values = torch.tensor([-0.0, float("nan"), float("inf"), 1, 2], dtype=dtype)
    rows, columns = torch.tensor([[1, 0, 0, 2, 2], [3, 2, 1, 0, 0]])
    a = CSR.from_coo(rows, columns, values, (3, 4))
    assert a.values[2].signbit()
    assert a.values[2] == 0
    assert a.values[1].isnan()
    assert a.values.dtype == dtype
    assert a.values[3] == 3


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [([0, 3], [0, 0], "row_indices must lie in .0, 3., but entry 1 is 3"), ([0, 1], [0, -1], "entry 1 is -1"),
     ([0], [0, 1], "row_indices has 1 entries, but values has 2"), ([0, 0], [1, 1], "row 0, column 1 came twice")],
)  # fmt: skip
def test_from_coo_refuses(rows: list[int], columns: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CSR.from_coo(torch.tensor(rows), torch.tensor(columns), torch.ones(2), (3, 4), duplicates="error")


def test_from_coo_refuses_unknown_duplicates_and_int8_sums() -> None:
    place = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ValueError, match="duplicates must be 'sum' or 'error', but is 'last'"):
        CSR.from_coo(place, place, torch.ones(2), (1, 1), duplicates="last")
    with pytest.raises(ValueError, match="int8 values cannot be added"):
        CSR.from_coo(place, place, torch.ones(2).char(), (1, 1), row_scale=torch.ones(1))


@pytest.mark.parametrize("pointers", [[0, 3], [0, -1], [1, 2], [0, 2, 2]])
def test_from_unsorted_checks_pointers_before_it_reads_through_them(pointers: list[int]) -> None:
    with pytest.raises(ValueError, match="crow_indices"):
        CSR.from_unsorted(torch.tensor(pointers), torch.tensor([1, 0]), torch.ones(2), (1, 2))


def test_transpose_is_an_involution_that_keeps_bits_and_is_computed_once() -> None:
    w = torch.randn(17, 23) * (torch.rand(17, 23) < 0.3) + 0.0
    a = CSR.from_dense(w)
    structure = a.transpose_structure()
    assert torch.equal(a.transpose().to_dense(), w.T)
    assert torch.equal(a.transpose().transpose().col_indices, a.col_indices)
    assert torch.equal(a.values[structure.permutation], a.transpose().values)
    assert a.transpose_structure() is structure
    assert a.with_values(a.values * 2).transpose_structure() is structure


def test_transpose_is_differentiable_and_refuses_row_scales() -> None:
    values = torch.randn(3, requires_grad=True)
    a = CSR(**GOOD | {"values": values})
    (a.transpose().to_dense() * torch.arange(12.0).view(4, 3)).sum().backward()
    assert values.grad.tolist() == [0.0, 9.0, 5.0]
    with pytest.raises(ValueError, match="scaled by column"):
        CSR(**GOOD | {"values": torch.ones(3).char(), "row_scale": torch.ones(3)}).transpose()


def test_from_dense_refuses() -> None:
    for w, error, message in [
        (torch.ones(3), ValueError, "w must have 2 dimension"),
        ([[1.0]], TypeError, "w must be a torch.Tensor"),
        (torch.ones(2, 2, dtype=torch.int64), TypeError, "w has dtype torch.int64"),
        (torch.ones(2, 2, dtype=torch.int8), ValueError, "int8 values need row_scale"),
        (torch.ones(2, 2, device="meta"), ValueError, "meta device"),
        (torch.ones(2, 2).to_sparse(), TypeError, "from_torch"),
    ]:
        with pytest.raises(error, match=message):
            CSR.from_dense(w)
    for mask in (torch.ones(2, 2), torch.ones(2, 3).bool(), torch.ones(2, 2, device="meta").bool()):
        with pytest.raises(ValueError, match="mask must be bool of shape"):
            CSR.from_dense(torch.ones(2, 2), mask=mask)

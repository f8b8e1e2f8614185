"""Keys: order, offsets, guards, lattices and limits."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from tamis.formats.packed_coords import check_coords, choose_layout, coarsen, holds, pack, unpack

ranges = st.sampled_from([3, 40, 5000, 2**19])


@st.composite
def clouds(draw):
    low, size = draw(st.integers(-(2**20), 2**20)), draw(ranges)
    axis = st.integers(low, low + size)
    rows = draw(st.lists(st.tuples(st.integers(0, 5), axis, axis, axis), min_size=0, max_size=30))
    return torch.tensor(rows, dtype=torch.int32).reshape(-1, 4)


@settings(max_examples=150, deadline=None)
@given(clouds(), st.integers(1, 16), st.sampled_from([1, 2, 3, 8, 12]))
def test_keys_unpack_and_keep_the_lexicographic_order(coords, guard, lattice):
    layout = choose_layout(coords, guard=[guard] * 3, lattice=[lattice] * 3)
    keys = pack(coords, layout)
    assert keys.dtype == layout.dtype
    assert (keys >= 0).all()
    assert torch.equal(unpack(keys, layout), coords)
    assert [tuple(row) for row in unpack(keys.sort().values, layout).tolist()] == sorted(
        map(tuple, coords.tolist())
    )


@settings(max_examples=150, deadline=None)
@given(clouds(), st.tuples(*[st.integers(-9, 9)] * 3))
def test_adding_a_packed_offset_moves_the_coordinate(coords, offset):
    layout = choose_layout(coords, guard=(9, 9, 9))
    moved = pack(coords, layout) + layout.offset_key(*offset)
    assert torch.equal(unpack(moved, layout), coords + torch.tensor([0, *offset], dtype=torch.int32))


@settings(max_examples=150, deadline=None)
@given(clouds(), st.tuples(*[st.sampled_from([1, 2, 3, 4, 6, 12])] * 3))
def test_coarsen_is_floor_on_the_absolute_lattice(coords, stride):
    layout = choose_layout(coords, lattice=(12, 12, 12))
    expected = coords.clone()
    step = torch.tensor(stride, dtype=torch.int32)
    expected[:, 1:] = torch.div(coords[:, 1:], step, rounding_mode="floor") * step
    assert torch.equal(unpack(coarsen(pack(coords, layout), layout, stride), layout), expected)


def test_small_scenes_get_int32_and_large_ones_int64():
    street = torch.tensor([[0, 0, 0, 0], [3, 1600, 1600, 60]], dtype=torch.int32)
    assert choose_layout(street, guard=(8, 8, 8), lattice=(16, 16, 16)).dtype == torch.int32
    assert choose_layout(street * 8, guard=(8, 8, 8), lattice=(16, 16, 16)).dtype == torch.int64


def test_extremes_of_int32():
    coords = torch.tensor([[0, -(2**31), 0, 2**31 - 1], [0, -(2**31) + 5, 1, 2**31 - 7]], dtype=torch.int32)
    layout = choose_layout(coords)
    assert torch.equal(unpack(pack(coords, layout), layout), coords)


def test_too_wide_a_scene_names_axis_extent_bits_and_a_size_that_fits():
    coords = torch.tensor([[0, -(2**30), 0, 0], [7, 2**30, 2**22, 2**22]], dtype=torch.int32)
    with pytest.raises(ValueError, match="packing coordinates") as caught:
        choose_layout(coords)
    for part in ("81 bits", "key has 63", "axis x runs from -1073741824 to 1073741824", "64 times as large"):
        assert part in str(caught.value)
    divided = coords.clone()
    divided[:, 1:] //= 64
    assert choose_layout(divided).total_bits <= 63


def test_coarsen_beyond_the_lattice_is_an_error():
    layout = choose_layout(torch.zeros(1, 4, dtype=torch.int32), lattice=(2, 2, 2))
    with pytest.raises(ValueError, match="strides that divide"):
        coarsen(torch.zeros(1, dtype=torch.int32), layout, (4, 4, 4))


def test_holds_tells_which_coordinates_fit():
    coords = torch.tensor([[0, 0, 0, 0], [0, 10, 10, 10]], dtype=torch.int32)
    layout = choose_layout(coords)
    probes = torch.tensor([[0, 3, 3, 3], [0, 1000, 0, 0], [0, 0, -50, 0], [1, 0, 0, 0]], dtype=torch.int32)
    assert holds(layout, probes).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    "coords", [torch.zeros(3, 3).int(), torch.zeros(3, 4), torch.zeros(3, 4).long(), torch.zeros(4).int()]
)
def test_wrong_shape_or_dtype(coords):
    with pytest.raises(ValueError, match="columns batch, x, y, z"):
        check_coords("f(coords)", coords)


def test_room_that_is_not_required_never_widens_the_keys():
    """Guard and lattice are taken where they are free, and given up where they would cost a wider key."""
    for extent in (2**3, 2**8, 2**9, 2**10 - 40, 2**10 - 2, 2**10 + 5, 2**20, 2**21 - 40, 2**21 - 4):
        coords = torch.tensor([[0, 0, 0, 0], [0, extent, extent, extent]], dtype=torch.int32)
        narrow = choose_layout(coords)
        roomy = choose_layout(coords, guard=(32, 32, 32), lattice=(16, 16, 16), required=False)
        assert roomy.dtype == narrow.dtype
        assert roomy.serves((1, 1, 1), (1, 1, 1))
        assert torch.equal(unpack(pack(coords, roomy), roomy), coords)
        try:
            wanted = choose_layout(coords, guard=(32, 32, 32), lattice=(16, 16, 16))
        except ValueError:
            assert not roomy.serves((32, 32, 32), (16, 16, 16))
        else:
            assert roomy.serves((32, 32, 32), (16, 16, 16)) == (wanted.dtype == narrow.dtype)


def test_a_layout_serves_less_room_and_coarser_lattices_and_no_more():
    layout = choose_layout(torch.zeros(1, 4, dtype=torch.int32), guard=(4, 5, 6), lattice=(8, 12, 16))
    assert layout.serves((4, 5, 6), (4, 3, 16))
    assert not layout.serves((4, 6, 6), (1, 1, 1))
    assert not layout.serves((1, 1, 1), (3, 1, 1))


def test_a_negative_batch_fits_no_layout() -> None:
    coords = torch.tensor([[0, 1, 1, 1], [3, 2, 2, 2]], dtype=torch.int32)
    layout = choose_layout(coords)
    probes = torch.tensor([[-1, 1, 1, 1], [3, 1, 1, 1], [4, 1, 1, 1]])
    assert holds(layout, probes).tolist() == [False, True, False]


def test_coordinates_beyond_int32_are_an_error_and_do_not_wrap() -> None:
    end = 2**31 - 1
    layout = choose_layout(torch.tensor([[0, end, 0, 0]], dtype=torch.int32))
    key = pack(torch.tensor([[0, end, 0, 0]], dtype=torch.int32), layout)
    assert unpack(key, layout).tolist() == [[0, end, 0, 0]]
    with pytest.raises(ValueError, match=r"along x they run from 2147483648 to 2147483648, beyond int32"):
        unpack(key + layout.offset_key(1, 0, 0), layout)


@pytest.mark.parametrize(
    ("coords", "cure"),
    [
        (torch.tensor([[2**32, 0, 0, 0]]), "from 0 to 4294967296, beyond int32"),
        (torch.tensor([[0, 0, 0, 5]]), r"Convert with coords\.int\(\)"),
        (torch.tensor([[0, 1.9, 0, 0]]), "whole cells"),
        (torch.zeros(2, 3, dtype=torch.int32), "column of zeros"),
    ],
)
def test_the_cure_for_wrong_coordinates_does_not_change_them(coords, cure) -> None:
    with pytest.raises(ValueError, match=cure):
        check_coords("f(coords)", coords)

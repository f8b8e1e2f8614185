"""Kernel maps against a dictionary, for every kind of kernel, stride and rule."""

import itertools

import pytest
import torch

from tamis import voxel
from tamis.kernels import reference
from tamis.kernels.reference import brute_force
from tamis.ops.kernel_map import KERNELS, kernel_offsets

SEARCHES = [kernel.name for kernel in KERNELS]


def cloud(points: int, size: int, *, seed: int = 0, batch: int = 2, low: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coords = torch.randint(low, low + size, (points, 4), generator=generator)
    coords[:, 0] = torch.randint(0, batch, (points,), generator=generator)
    distinct = coords.unique(dim=0).int()
    return distinct[torch.randperm(len(distinct), generator=generator)]


def cells(coords: torch.Tensor) -> set[tuple[int, ...]]:
    return {tuple(row) for row in coords.tolist()}


@pytest.mark.parametrize("kernel", SEARCHES)
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5, (3, 1, 2), (1, 1, 3), (5, 3, 1), (1, 1, 19)])
@pytest.mark.parametrize("dilation", [1, 2, (1, 2, 3)])
def test_submanifold_map_is_the_dictionarys(kernel, kernel_size, dilation):
    coords = cloud(400, 9, low=-4)
    found = voxel.kernel_map(coords, kernel_size, dilation=dilation, kernel=kernel)
    assert torch.equal(found.out_in, brute_force(coords, coords, found.offsets))
    assert found.out_coords is coords


@pytest.mark.parametrize("kernel", SEARCHES)
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5, (3, 1, 2)])
@pytest.mark.parametrize("stride", [2, 3, 4, (1, 2, 3), (2, 1, 1)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_strided_minkowski_map_is_the_dictionarys(kernel, kernel_size, stride, dilation):
    coords = cloud(500, 12, low=-6)
    found = voxel.kernel_map(coords, kernel_size, stride, dilation, kernel=kernel)
    step = torch.tensor([1, *voxel.modules.triple(stride)])
    assert cells(found.out_coords) == cells(torch.div(coords, step, rounding_mode="floor") * step)
    assert torch.equal(found.out_in, brute_force(coords, found.out_coords, found.offsets))


@pytest.mark.parametrize("kernel", SEARCHES)
@pytest.mark.parametrize(("kernel_size", "padding"), [(3, 1), (3, 0), (2, 0), ((1, 1, 3), 0), (5, 2), (3, 2)])
@pytest.mark.parametrize("stride", [1, 2, 3, (1, 1, 2)])
@pytest.mark.parametrize("bounded", [True, False])
def test_spconv_rule_is_that_of_a_dense_convolution(kernel, kernel_size, padding, stride, bounded):
    size = (8, 9, 10)
    coords = cloud(60, 8)
    found = voxel.kernel_map(
        coords, kernel_size, stride, rule="spconv", padding=padding, kernel=kernel,
        spatial_shape=size if bounded else None,
    )  # fmt: skip
    kernel_size, padding = voxel.modules.triple(kernel_size), voxel.modules.triple(padding)
    occupied = torch.zeros(2, 1, *size)
    occupied[coords[:, 0], 0, coords[:, 1], coords[:, 2], coords[:, 3]] = 1
    margin = 0 if bounded else 6
    dense = torch.nn.functional.pad(occupied, [margin] * 6)  # margin is a multiple of every stride
    window = torch.ones(1, 1, *kernel_size)
    touched = torch.nn.functional.conv3d(
        dense, window, stride=voxel.modules.triple(stride), padding=padding
    )[:, 0].nonzero()  # fmt: skip
    touched[:, 1:] = touched[:, 1:] * torch.tensor(voxel.modules.triple(stride)) - margin
    assert cells(found.out_coords) == cells(touched)
    assert torch.equal(found.out_in, brute_force(coords, found.out_coords, found.offsets))


@pytest.mark.parametrize("kernel", SEARCHES)
def test_mirrored_columns_are_transposes(kernel):
    found = voxel.kernel_map(cloud(300, 7), 3, kernel=kernel)
    for offset in range(27):
        forward = {(i, j) for i, j in zip(*(rows.tolist() for rows in found.pairs_of(offset)), strict=True)}
        mirror = {
            (j, i) for i, j in zip(*(rows.tolist() for rows in found.pairs_of(26 - offset)), strict=True)
        }
        assert forward == mirror
    assert found.density()[13] == 1.0


@pytest.mark.parametrize("kernel", SEARCHES)
def test_equal_counts_do_not_make_a_strided_map_submanifold(kernel):
    coords = torch.randint(0, 2000, (3000, 4), generator=torch.Generator().manual_seed(1)).int()
    coords[:, 0] = 0
    found = voxel.kernel_map(coords, 3, 2, kernel=kernel)
    assert found.out_rows == found.in_rows == 3000
    assert torch.equal(found.out_in, brute_force(coords, found.out_coords, found.offsets))


@pytest.mark.parametrize("kernel", SEARCHES)
def test_scenes_of_a_batch_do_not_see_each_other(kernel):
    one = cloud(200, 6, batch=1)
    both = torch.cat([one, one + torch.tensor([1, 0, 0, 0], dtype=torch.int32)])
    alone = voxel.kernel_map(one, 3, kernel=kernel).out_in
    shifted = torch.where(alone >= 0, alone + len(one), -1)
    assert torch.equal(voxel.kernel_map(both, 3, kernel=kernel).out_in, torch.cat([alone, shifted]))


@pytest.mark.parametrize("kernel", SEARCHES)
def test_order_of_rows_does_not_matter(kernel):
    coords = cloud(300, 8)
    shuffle = torch.randperm(len(coords), generator=torch.Generator().manual_seed(3))
    sorted_map, shuffled = (
        voxel.kernel_map(coords, 3, kernel=kernel),
        voxel.kernel_map(coords[shuffle], 3, kernel=kernel),
    )
    back = torch.where(shuffled.out_in >= 0, shuffle.int()[shuffled.out_in.clamp(min=0).long()], -1)
    assert torch.equal(back, sorted_map.out_in[shuffle])


@pytest.mark.parametrize("kernel", SEARCHES)
@pytest.mark.parametrize("extent", [2**8, 2**20])  # int32 and int64 keys
def test_both_ends_of_a_field_are_not_neighbours(kernel, extent):
    ends = [0, 1, extent - 2, extent - 1]
    coords = torch.tensor([(0, x, y, z) for x, y, z in itertools.product(ends, repeat=3)], dtype=torch.int32)
    for size in (3, 5):
        found = voxel.kernel_map(coords, size, kernel=kernel)
        assert torch.equal(found.out_in, brute_force(coords, coords, found.offsets))


@pytest.mark.parametrize("kernel", SEARCHES)
@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("rule", ["minkowski", "spconv"])
def test_empty_and_single_voxel(kernel, count, stride, rule):
    coords = torch.tensor([[0, -7, 3, 5]], dtype=torch.int32)[:count]
    found = voxel.kernel_map(coords, 3, stride, rule=rule, kernel=kernel)
    assert found.out_in.shape == (found.out_rows, 27)
    assert torch.equal(found.out_in, brute_force(coords, found.out_coords, found.offsets))
    assert found.pairs == (found.out_in >= 0).sum()


@pytest.mark.parametrize("kernel", SEARCHES)
@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (2, 2), (3, 2), (5, 1), (3, 3)])
def test_lists_ascend_and_cuts_point_into_them(kernel, kernel_size, stride):
    coords = cloud(900, 14)
    found = voxel.kernel_map(coords, kernel_size, stride, kernel=kernel)
    for one in (found, found.transposed()):
        for offset in range(one.kernel_volume):
            inputs, outputs = one.pairs_of(offset)
            assert (inputs[1:] > inputs[:-1]).all()
            assert (outputs[1:] > outputs[:-1]).all()
            edges = torch.arange(one.cuts.shape[1]) * 64
            assert one.cuts[offset].tolist() == [(outputs < edge).sum() for edge in edges]


def test_transposed_map_swaps_roles():
    found = voxel.kernel_map(cloud(300, 9), 3, 2)
    turned = found.transposed()
    for offset in range(27):
        inputs, outputs = found.pairs_of(offset)
        assert all(torch.equal(a, b) for a, b in zip(turned.pairs_of(offset), (outputs, inputs), strict=True))
    assert torch.equal(turned.transposed().lists, found.lists)


def test_offsets_are_centred_x_outermost():
    assert kernel_offsets((3, 1, 2)).tolist() == [[x, 0, z] for x in (-1, 0, 1) for z in (0, 1)]
    assert kernel_offsets((1, 1, 4), (1, 1, 3)).tolist() == [[0, 0, z] for z in (-3, 0, 3, 6)]
    assert kernel_offsets((1, 1, 3), padding=(0, 0, 0)).tolist() == [[0, 0, z] for z in (0, 1, 2)]


def test_density_by_l1_counts_taps():
    found = voxel.kernel_map(cloud(500, 6), 3, dilation=2)
    assert list(found.density_by_l1()) == [0, 1, 2, 3]
    assert found.density_by_l1()[0] == 1.0


def test_bad_calls_say_what_to_do():
    coords = cloud(20, 5)
    with pytest.raises(ValueError, match="columns batch, x, y, z"):
        voxel.kernel_map(coords[:, 1:])
    with pytest.raises(ValueError, match=r"Convert with coords.int\(\)"):
        voxel.kernel_map(coords.long())
    with pytest.raises(ValueError, match="duplicates"):
        voxel.kernel_map(torch.cat([coords, coords[:3]]))
    with pytest.raises(ValueError, match="must not be negative"):
        voxel.kernel_map(coords - 9)
    with pytest.raises(ValueError, match="no kernel 'cpu/hash'"):
        voxel.kernel_map(coords, kernel="cpu/hash")
    with pytest.raises(ValueError, match="not multiples of the stride"):
        voxel.kernel_map(coords, tensor_stride=2)
    with pytest.raises(ValueError, match="Crop the cloud"):
        voxel.kernel_map(coords, 3, 2, rule="spconv", spatial_shape=3)
    with pytest.raises(ValueError, match="at least 1"):
        voxel.kernel_map(coords, 0)


@pytest.mark.parametrize("extent", [40, 2**20])  # int32 and int64 keys
@pytest.mark.parametrize("points", [1, 2, 7, 15, 16, 17, 18, 33, 300])
def test_long_gaps_and_clouds_as_short_as_a_vector(points, extent):
    generator = torch.Generator().manual_seed(points)
    coords = torch.randint(-extent, extent, (points, 4), generator=generator)
    coords[:, 0] = 0
    coords[points // 2 :, 1:3] = 0  # the second half in one column: many sources between two targets
    coords = coords.unique(dim=0).int()
    for kernel_size, stride in ((3, 1), (5, 1), (2, 2), (3, 2)):
        found = voxel.kernel_map(coords, kernel_size, stride)
        assert torch.equal(found.out_in, brute_force(coords, found.out_coords, found.offsets))


@pytest.mark.parametrize("room", [1, 1000, 5000])
def test_a_search_in_rounds_finds_the_same(monkeypatch, room):
    coords = cloud(600, 10)
    whole = voxel.kernel_map(coords, 5)
    monkeypatch.setattr("tamis.kernels.cpu.kernel_map._ROOM", room)
    parts = voxel.kernel_map(coords, 5)
    assert torch.equal(parts.first, whole.first)
    assert torch.equal(parts.second, whole.second)
    assert torch.equal(parts.lists, whole.lists)


def test_cuts_are_where_granules_of_outputs_begin():
    coords = cloud(4000, 24)
    for found in (
        voxel.kernel_map(coords, 3),
        voxel.kernel_map(coords, 3, 2),
        voxel.kernel_map(coords, 3, 2).transposed(),
    ):
        assert torch.equal(found.cuts, reference.block_cuts(found.pair_lists))

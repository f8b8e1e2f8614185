"""A scan is packed once, its key layout is chosen once, and its keys are sorted once, from points to the last layer."""

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType

import pytest
import torch
from torch import Tensor

from tamis import voxel
from tamis.formats import packed_coords
from tamis.ops.point_keys import keys_of_points
from tamis.voxel.segmentation import load_segmenter

COUNTED = {
    packed_coords.pack.__code__: "pack",
    keys_of_points.__code__: "pack",
    packed_coords.choose_layout.__code__: "layout",
}
ONCE = {"pack": 1, "layout": 1, "sort": 1}


def counted(work: Callable[[], object], voxels: int) -> dict[str, int]:
    """How often ``work`` packs coordinates, chooses a layout, or sorts at least ``voxels`` integers."""
    found: Counter[str] = Counter()

    def watch(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code in COUNTED:
            found[COUNTED[frame.f_code]] += 1
        elif event == "c_call" and getattr(argument, "__name__", "") in ("sort", "unique"):
            tensor = getattr(argument, "__self__", None)
            if isinstance(tensor, Tensor) and not tensor.is_floating_point() and len(tensor) >= voxels:
                found["sort"] += 1

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return dict(found)


@pytest.fixture(scope="module")
def street() -> voxel.scenes.Scene:
    return voxel.scenes.lidar_street(seed=3, sensor="hdl32", world="suburb")


@pytest.fixture(scope="module")
def network() -> voxel.VoxelNetwork:
    made = voxel.networks.MinkUNet14(4, 3, width=0.25).eval()
    with torch.no_grad():
        made(voxel.voxelize(torch.rand(20, 3), 0.1, torch.rand(20, 4)))  # finds its maps, on an empty cloud
    return made


def features(street: voxel.scenes.Scene) -> Tensor:
    return torch.cat([street.features, torch.ones(len(street), 4)], 1)[:, :4]


@torch.no_grad()
def test_from_points_to_features_with_a_plan_and_without(street, network):
    size = 0.15
    voxels = len(voxel.voxelize(street.points, size))

    def planned() -> object:
        x = voxel.voxelize(street.points, size, features(street))
        return network(x, plan=voxel.plan(network, x))

    def unplanned() -> object:
        return network(voxel.voxelize(street.points, size, features(street)))

    assert counted(planned, voxels) == ONCE
    assert counted(unplanned, voxels) == ONCE


def test_segmenter(street):
    segmenter = load_segmenter()
    segmenter.predict(street.points[:1000])
    voxels = len(voxel.voxelize(street.points, segmenter.recipe.voxel_size_m))
    assert counted(lambda: segmenter.predict(street.points), voxels) == ONCE


@torch.no_grad()
def test_a_tensor_keeps_the_keys_that_a_plan_made(street, network):
    sorted_once = voxel.voxelize(street.points, 0.15, features(street))
    shuffle = torch.randperm(len(sorted_once))
    x = voxel.VoxelTensor(sorted_once.coords[shuffle], sorted_once.feats[shuffle])
    assert counted(lambda: voxel.plan(network, x), len(x)) == ONCE
    assert counted(lambda: voxel.plan(network, x), len(x)) == {}
    assert counted(lambda: network(x.with_feats(x.feats * 2)), len(x)) == {}
    y = network(x)
    found = counted(lambda: voxel.devoxelize(y, street.points, 0.15), len(x))
    assert found == {}


def test_keys_with_too_little_room_are_packed_again_but_not_sorted(street):
    x = voxel.voxelize(street.points, 0.15)
    net = voxel.Sequential(voxel.SubmanifoldConv3d(1, 1, 3, dilation=40), voxel.SparseConv3d(1, 1, 3, 3))
    voxel.plan(net, torch.zeros(1, 4, dtype=torch.int32))
    assert counted(lambda: voxel.plan(net, x), len(x)) == {"pack": 1, "layout": 1}


def test_keys_follow_coordinates_that_change_in_place(street, network):
    x = voxel.voxelize(street.points, 0.15, features(street))
    voxel.plan(network, x)
    x.coords[:, 1] += 1
    moved = voxel.VoxelTensor(x.coords.clone(), x.feats)
    with torch.no_grad():
        assert torch.equal(network(x).feats, network(moved).feats)
    assert torch.equal(voxel.plan(network, x).coords_of(0), moved.coords)

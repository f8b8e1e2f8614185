"""A segmenter saved is a segmenter loaded; damaged files are refused; the shipped weights beat the baseline."""

import json
from importlib.resources import files

import pytest
import torch
from safetensors.torch import load_file, save_file

from tamis.voxel import scenes
from tamis.voxel.segmentation import Recipe, Segmenter, load_segmenter
from tamis.voxel.segmentation.baseline import HeightAndDistance
from tamis.voxel.segmentation.confusion import Confusion

RECIPE = Recipe("MinkUNet14", 0.25, 0.5, ("a", "b", "c"), "nothing")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    Segmenter(RECIPE).save(path)
    return path


def test_save_and_load(saved):
    points = scenes.lidar_street(0, "hdl32").points[::20]
    loaded = load_segmenter(saved)
    assert loaded.recipe == RECIPE
    labels = loaded.predict(points)
    assert labels.shape == (len(points),)
    assert set(labels.unique().tolist()) <= {0, 1, 2}
    assert torch.equal(labels, load_segmenter(saved).predict(points))


def test_order_of_points_and_empty_clouds(saved):
    segmenter = load_segmenter(saved)
    points = scenes.lidar_street(0, "hdl32").points[::20]
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))
    assert (segmenter.predict(points)[order] == segmenter.predict(points[order])).float().mean() > 0.999
    assert segmenter.predict(torch.zeros(0, 3)).shape == (0,)
    assert segmenter.predict(torch.zeros(1, 3)).shape == (1,)


def test_damaged_files(saved, tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(saved.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"bad\.safetensors.*damaged"):
        load_segmenter(path)
    tensors = load_file(saved)
    save_file(tensors, path)
    with pytest.raises(ValueError, match="metadata does not say"):
        load_segmenter(path)
    about = {name: json.dumps(value) for name, value in vars(RECIPE).items()}
    about |= {"format": json.dumps("tamis voxel segmenter 1")}
    first = next(iter(tensors))
    save_file({name: t for name, t in tensors.items() if name != first}, path, about)
    with pytest.raises(ValueError, match=f"1 tensors do not fit.*{first}"):
        load_segmenter(path)
    save_file(tensors, path, about | {"network": json.dumps("os.system")})
    with pytest.raises(ValueError, match=r"os\.system.*known networks"):
        load_segmenter(path)
    with pytest.raises(FileNotFoundError, match='"street" is the one that ships'):
        load_segmenter(tmp_path / "none.safetensors")


def test_shipped_weights_are_small_and_say_what_they_learnt_from():
    path = files("tamis.voxel") / "weights" / "street.safetensors"
    assert len(path.read_bytes()) <= 4_000_000
    segmenter = load_segmenter()
    assert "generated" in segmenter.recipe.trained_on
    assert "no real scan" in segmenter.recipe.trained_on
    assert segmenter.recipe.label_names == scenes.STREET_LABELS


@pytest.mark.parametrize("world", scenes.WORLD_NAMES)
def test_shipped_weights_beat_height_and_distance_on_unseen_streets(world):
    """The issue's bar is 15 points of mIoU; seeds 7,000 and up are used nowhere else."""
    segmenter, classes = load_segmenter(), len(scenes.STREET_LABELS)
    taught = (
        scenes.lidar_street(seed, "hdl64", w) for seed in range(10_000, 10_006) for w in scenes.WORLD_NAMES
    )
    baseline = HeightAndDistance.fit(taught, classes)
    ours = theirs = Confusion(torch.zeros(classes, classes + 1, dtype=torch.int64))
    for seed in range(7_000, 7_003):
        scene = scenes.lidar_street(seed, "hdl64", world)
        ours += Confusion.of(scene.labels, segmenter.predict(scene.points), classes)
        theirs += Confusion.of(scene.labels, baseline.predict(scene.points), classes)
    assert ours.mean_iou() >= theirs.mean_iou() + 0.15


@pytest.mark.parametrize("name", ["kitti_000008.bin", "nuscenes_lidar_top.pcd.bin"])
def test_real_scans_get_sensible_shares(tamis_data, name):
    from tamis.voxel.files import read_points

    cloud = read_points(tamis_data / "scenes" / name)
    labels = load_segmenter().predict(cloud.points)
    shares = torch.bincount(labels, minlength=8) / len(labels)
    assert shares[:3].sum() > 0.2, "some ground"
    assert shares.max() < 0.9, "not all one class"

"""Every kind of file, written by hand after its published layout, gives the same seven points."""

import numpy as np
import pytest
import torch

from tamis.voxel.files import read_kitti, read_points

NAMES = [
    "scan.bin",
    "sweep.pcd.bin",
    "ascii.ply",
    "little.ply",
    "big.ply",
    "ascii.pcd",
    "binary.pcd",
    "packed.pcd",
    "survey.las",
    "array.npz",
]


@pytest.mark.parametrize("name", NAMES)
def test_points_features_and_labels(tmp_path, handmade, content, name):
    points, intensity, labels = content
    path = tmp_path / name
    path.write_bytes(handmade[name])
    cloud = read_points(path)
    assert cloud.points.dtype == cloud.features.dtype == torch.float32
    assert len(cloud) == 7
    np.testing.assert_allclose(
        cloud.points.numpy() + np.array(cloud.origin), points + _offset(name), atol=1e-6
    )
    read = cloud.features[:, cloud.feature_names.index("intensity")].numpy()
    np.testing.assert_allclose(read, intensity * (1000 if name.endswith("las") else 1))
    if cloud.labels is not None:
        wanted = labels % 32 if name.endswith("las") else labels
        assert cloud.labels.dtype == torch.int64
        assert cloud.labels.tolist() == wanted.tolist()
    assert (cloud.labels is None) == name.endswith("bin")


def _offset(name):
    return np.array([600_000.0, 5_700_000.0, 100.0]) if name.endswith("las") else np.zeros(3)


def test_survey_coordinates_keep_their_millimetres(tmp_path, handmade, content):
    path = tmp_path / "survey.las"
    path.write_bytes(handmade["survey.las"])
    cloud = read_points(path)
    assert cloud.origin == (599_999.0, 5_699_998.0, 99.0)
    assert cloud.points.abs().max() < 20


def test_laz_written_by_another_library_call(tmp_path, content):
    laspy = pytest.importorskip("laspy")
    points, _, labels = content
    header = laspy.LasHeader(point_format=7, version="1.4")
    header.offsets, header.scales = points.min(0), np.full(3, 0.001)
    survey = laspy.LasData(header)
    survey.x, survey.y, survey.z = points.T
    survey.classification, survey.red = labels, np.arange(7) * 1000
    survey.write(tmp_path / "packed.laz")
    cloud = read_points(tmp_path / "packed.laz")
    np.testing.assert_allclose(cloud.points, points, atol=1e-3)
    assert cloud.labels.tolist() == labels.tolist()
    assert cloud.features[:, cloud.feature_names.index("red")].tolist() == [1000 * i for i in range(7)]


def test_pcd_colours_are_unpacked(tmp_path, handmade):
    path = tmp_path / "binary.pcd"
    path.write_bytes(handmade["binary.pcd"])
    cloud = read_points(path)
    assert cloud.feature_names == ("intensity", "red", "green", "blue")
    assert cloud.features[0, 1:].tolist() == [255, 128, 1]


def test_semantic_kitti_labels_drop_the_instance(tmp_path, handmade, content, label_file):
    scan, labels = tmp_path / "000000.bin", tmp_path / "000000.label"
    scan.write_bytes(handmade["scan.bin"])
    labels.write_bytes(label_file)
    assert read_kitti(scan, labels).labels.tolist() == content[2].tolist()
    assert read_points(scan, labels=labels).labels.tolist() == content[2].tolist()


def test_dropping_invalid_points(tmp_path, handmade):
    table = np.frombuffer(handmade["scan.bin"], "<f4").reshape(-1, 4).copy()
    table[2, 0], table[4, 1] = np.nan, np.inf
    path = tmp_path / "holes.bin"
    table.tofile(path)
    with pytest.raises(ValueError, match=r"holes\.bin.*: x: 1 of 7 values are NaN"):
        read_points(path)
    assert len(read_points(path, invalid="drop")) == 5


@pytest.mark.parametrize("invalid", ["error", "drop"])
def test_a_feature_without_a_value_costs_no_point(tmp_path, handmade, content, caplog, invalid):
    table = np.frombuffer(handmade["scan.bin"], "<f4").reshape(-1, 4).copy()
    table[2, 3], table[4, 3] = np.nan, np.inf
    path = tmp_path / "holes.bin"
    table.tofile(path)
    cloud = read_points(path, invalid=invalid)
    assert cloud.points.tolist() == content[0].tolist()
    assert cloud.features[:, 0].tolist() == [0.0, 0.25, 0.0, 0.75, 0.0, 0.125, 0.375]
    assert cloud.replaced == {"intensity": 2}
    assert "intensity (2 of 7)" in caplog.text


def test_real_scans(tamis_data):
    kitti = read_points(tamis_data / "scenes" / "kitti_000008.bin")
    nuscenes = read_points(tamis_data / "scenes" / "nuscenes_lidar_top.pcd.bin")
    assert (len(kitti), len(nuscenes)) == (17_238, 34_688)
    assert kitti.features.min() >= 0
    assert kitti.features.max() <= 1
    assert sorted(nuscenes.features[:, 1].unique().tolist()) == list(range(32))
    for cloud in (kitti, nuscenes):
        assert 50 < cloud.points.abs().max() < 120

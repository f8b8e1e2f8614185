"""Files without a header: named columns, and an error instead of a guess where the values do not look like the usual ones."""

import numpy as np
import pytest

from tamis.voxel import scenes
from tamis.voxel.files import read_points

POINTS = 15_120  # divides by every number of columns tried here


@pytest.fixture(scope="module")
def scan():
    """x, y, z, intensity of a generated turn, and eight columns that other data sets have."""
    street = scenes.lidar_street(3, "hdl64")
    rng = np.random.default_rng(0)
    xyz = street.points[:POINTS].numpy()
    normals = rng.normal(size=(POINTS, 3))
    others = [
        rng.integers(0, 64, POINTS),
        rng.uniform(0, 0.1, POINTS),
        rng.integers(0, 256, (POINTS, 3)),
        normals,
    ]
    return np.column_stack([xyz, rng.uniform(0, 1, POINTS), *others]).astype("<f4")


def written(path, table):
    np.ascontiguousarray(table, "<f4").tofile(path)
    return path


def test_the_usual_columns_are_read(tmp_path, scan):
    cloud = read_points(written(tmp_path / "a.bin", scan[:, :4]))
    np.testing.assert_array_equal(cloud.points, scan[:, :3])
    np.testing.assert_array_equal(cloud.features[:, 0], scan[:, 3])
    cloud = read_points(written(tmp_path / "a.pcd.bin", scan[:, :5]))
    assert cloud.feature_names == ("intensity", "ring")
    np.testing.assert_array_equal(cloud.features[:, 1], scan[:, 4])


@pytest.mark.parametrize("name", ["a.bin", "a.pcd.bin"])
@pytest.mark.parametrize("width", [3, 4, 5, 6, 7, 8, 9, 10, 12])
def test_other_numbers_of_columns_are_not_guessed(tmp_path, scan, name, width):
    usual = 4 if name == "a.bin" else 5
    if width == usual:
        return
    rows = scan if width < 12 else np.column_stack([scan, scan[:, 3] * 7, scan[:, 4]])
    assert rows[:, :width].size % usual == 0
    with pytest.raises(ValueError, match=rf"a\..*these {usual} float32 columns.*columns="):
        read_points(written(tmp_path / name, rows[:, :width]))


def test_the_error_tells_which_number_fits(tmp_path, scan):
    with pytest.raises(ValueError, match="the values fit 6 columns"):
        read_points(written(tmp_path / "a.bin", scan[:, :6]))
    coloured = np.column_stack([scan[:, :3], scan[:, 6:9]])
    with pytest.raises(ValueError, match="the values fit 6 columns"):
        read_points(written(tmp_path / "a.bin", coloured))


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<i2", "<f2", "<i4"])
def test_other_types_are_not_read_as_float32(tmp_path, scan, dtype):
    (tmp_path / "a.bin").write_bytes((scan[:, :4] * (1 if "f" in dtype else 100)).astype(dtype).tobytes())
    with pytest.raises(ValueError, match=r"a\.bin.*columns="):
        read_points(tmp_path / "a.bin")


def test_what_cannot_be_told_apart_is_an_error(tmp_path):
    alike = np.random.default_rng(0).random((100, 4))
    with pytest.raises(ValueError, match="may as well have 5"):
        read_points(written(tmp_path / "a.bin", alike))
    assert len(read_points(tmp_path / "a.bin", columns=4)) == 100
    assert len(read_points(written(tmp_path / "a.bin", alike[:97]))) == 97, "no other number divides 388"


def test_named_columns(tmp_path, scan):
    path = written(tmp_path / "a.bin", scan[:, :6])
    cloud = read_points(path, columns=["x", "y", "z", "intensity", "ring", "time"])
    assert len(cloud) == POINTS
    assert cloud.feature_names == ("intensity", "ring", "time")
    np.testing.assert_array_equal(cloud.features, scan[:, 3:6])
    assert read_points(path, columns=6).feature_names == ("intensity", "column_4", "column_5")
    other = read_points(path, columns=("intensity", "_", "z", "y", "label", "x"))
    np.testing.assert_array_equal(other.points, scan[:, [5, 3, 2]])
    assert other.labels.tolist() == scan[:, 4].astype(int).tolist()
    assert other.feature_names == ("intensity",)


def test_labels_tell_the_number_of_points(tmp_path):
    alike = np.random.default_rng(0).random((100, 4))
    np.arange(100, dtype="<u4").tofile(tmp_path / "a.label")
    cloud = read_points(written(tmp_path / "a.bin", alike), labels=tmp_path / "a.label")
    assert cloud.labels.tolist() == list(range(100))


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ("xyz", "distinct names"),
        (("x", "y", "z", "x"), "distinct names"),
        (2, "distinct names"),
        (-1, "distinct names"),
        (("x", "y", "i", "j"), "column z: missing; the file has x, y, i, j"),
        (7, "bytes are no whole number"),
    ],
)
def test_columns_that_cannot_be(tmp_path, scan, columns, told):
    path = written(tmp_path / "a.bin", scan[:101, :4])
    with pytest.raises(ValueError, match=told):
        read_points(path, columns=columns)


def test_columns_of_files_that_name_their_own(tmp_path, handmade):
    (tmp_path / "a.ply").write_bytes(handmade["ascii.ply"])
    with pytest.raises(ValueError, match=r"only \.bin and \.pcd\.bin"):
        read_points(tmp_path / "a.ply", columns=4)

"""Metres: feet are converted where a LAS file says so, degrees are refused, and float32 never loses what a file knows."""

import numpy as np
import pytest

from tamis.voxel.files import read_points

FOOT, SURVEY_FOOT = 0.3048, 1200 / 3937
XYZ = np.array([[987_654.3, 201_234.5, 60.0], [987_664.3, 201_244.5, 70.0], [987_660.0, 201_240.0, 65.0]])


@pytest.fixture
def laspy():
    pytest.importorskip("pyproj")
    return pytest.importorskip("laspy")


def survey(laspy, path, xyz=XYZ, scale=0.001, crs=None, keys=None, **options):
    header = laspy.LasHeader(point_format=6, version="1.4")
    header.offsets, header.scales = np.floor(xyz.min(0)), [scale] * 3
    if crs is not None:
        import pyproj

        header.add_crs(pyproj.CRS.from_user_input(crs), **options)
    if keys is not None:
        header.vlrs.append(_geotiff(laspy, keys))
    data = laspy.LasData(header)
    data.x, data.y, data.z = xyz.T
    data.write(path)
    return path


def _geotiff(laspy, keys):
    words = [1, 1, 0, len(keys), *(word for key, value in keys.items() for word in (key, 0, 1, value))]
    return laspy.VLR("LASF_Projection", 34735, "", np.array(words, "<u2").tobytes())


def in_metres(cloud):
    return cloud.points.double().numpy() + cloud.origin


def test_metres_stay(laspy, tmp_path):
    cloud = read_points(survey(laspy, tmp_path / "a.las", crs="EPSG:32632"))
    np.testing.assert_allclose(in_metres(cloud), XYZ, atol=1e-3)
    assert cloud.metres_per_unit == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("ending", ["las", "laz"])
def test_survey_feet_become_metres_and_the_way_back_is_told(laspy, tmp_path, ending):
    cloud = read_points(survey(laspy, tmp_path / f"a.{ending}", crs="EPSG:2263"))
    np.testing.assert_allclose(in_metres(cloud), XYZ * SURVEY_FOOT, atol=1e-3)
    np.testing.assert_allclose(in_metres(cloud) / cloud.metres_per_unit, XYZ, atol=3e-3)


def test_heights_may_have_another_unit(laspy, tmp_path):
    """NAD83 / New York Long Island (ftUS) with NAVD88 heights in metres."""
    cloud = read_points(survey(laspy, tmp_path / "a.las", crs="EPSG:2263+5703"))
    np.testing.assert_allclose(in_metres(cloud), XYZ * [SURVEY_FOOT, SURVEY_FOOT, 1.0], atol=1e-3)


@pytest.mark.parametrize(
    ("keys", "factors"),
    [
        ({1024: 1, 3072: 2263}, [SURVEY_FOOT] * 3),
        ({1024: 1, 3072: 2263, 4099: 9001}, [SURVEY_FOOT, SURVEY_FOOT, 1.0]),
        ({1024: 1, 3072: 32767, 3076: 9002}, [FOOT] * 3),
        ({1024: 1, 3072: 32767, 3076: 9001, 4099: 9003}, [1.0, 1.0, SURVEY_FOOT]),
        ({}, [1.0] * 3),
    ],
)
def test_geotiff_keys(laspy, tmp_path, keys, factors):
    cloud = read_points(survey(laspy, tmp_path / "a.las", keys=keys))
    np.testing.assert_allclose(in_metres(cloud), XYZ * factors, atol=1e-3)


DEGREES = np.array([[-73.9857, 40.7484, 10.0], [-73.9856, 40.7485, 20.0]])


@pytest.mark.parametrize(
    "way", [{"crs": "EPSG:4326"}, {"crs": "EPSG:4979"}, {"keys": {1024: 2, 2048: 4326}}, {"keys": {1024: 2}}]
)
def test_degrees_are_refused(laspy, tmp_path, way):
    path = survey(laspy, tmp_path / "a.las", DEGREES, 1e-7, **way)
    with pytest.raises(ValueError, match=r"a\.las.*x and y are degrees"):
        read_points(path)


def test_degrees_of_which_nobody_knows_keep_their_digits(laspy, tmp_path):
    cloud = read_points(survey(laspy, tmp_path / "a.las", DEGREES, 1e-7))
    np.testing.assert_allclose(in_metres(cloud), DEGREES, atol=2e-9, rtol=0)


@pytest.mark.parametrize("what", ["keys that name no unit", "text that is no WKT", "a damaged directory"])
def test_a_reference_system_that_tells_nothing_is_refused_unless_the_caller_knows(laspy, tmp_path, what):
    path = survey(laspy, tmp_path / "a.las", keys={1024: 1, 3072: 32767})
    data = path.read_bytes()
    at = data.index(b"LASF_Projection") + 52
    if what == "text that is no WKT":
        data = (
            data[: at - 52 + 16]
            + (2112).to_bytes(2, "little")
            + data[at - 52 + 18 : at]
            + b"GARBAGE["
            + data[at + 8 :]
        )
    elif what == "a damaged directory":
        data = data[:at] + b"\1\0\1\0\0\0\xff\xff" + data[at + 8 :]
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.las.*coordinate reference system.*metres_per_unit"):
        read_points(path)
    cloud = read_points(path, metres_per_unit=FOOT)
    np.testing.assert_allclose(in_metres(cloud), XYZ * FOOT, atol=1e-3)


def test_every_kind_takes_metres_per_unit(tmp_path, handmade, content):
    for name, data in handmade.items():
        (tmp_path / name).write_bytes(data)
        cloud = read_points(tmp_path / name, metres_per_unit=FOOT)
        offset = [600_000.0, 5_700_000.0, 100.0] if name.endswith("las") else [0.0, 0.0, 0.0]
        np.testing.assert_allclose(in_metres(cloud), (content[0] + offset) * FOOT, atol=1e-6)
    for wrong in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="metres_per_unit"):
            read_points(tmp_path / "ascii.ply", metres_per_unit=wrong)


def test_float64_of_every_kind_keeps_what_float32_would_lose(tmp_path, archive):
    (tmp_path / "a.npz").write_bytes(archive(points=DEGREES))
    np.testing.assert_allclose(in_metres(read_points(tmp_path / "a.npz")), DEGREES, atol=2e-9, rtol=0)
    near = np.array([[1.1, 2.2, 3.3], [80.0, -70.0, 1.0]])
    (tmp_path / "a.npz").write_bytes(archive(points=near))
    assert read_points(tmp_path / "a.npz").origin == (0.0, 0.0, 0.0), "the sensor stays at the origin"

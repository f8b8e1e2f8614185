"""Truncated, hostile, wrong and empty files: always a ValueError that names the file, never a crash."""

import io
import random
import re
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import peak_memory

from tamis.voxel.files import read_points
from tamis.voxel.files.point_cloud import reading

from_text = re.escape
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


def read(folder, name, data, **options):
    path = folder / name
    path.write_bytes(data)
    return read_points(path, **options)


def read_or_refuse(folder, name, data):
    """The cloud, or None where the reader refuses with an error that names the file."""
    try:
        return read(folder, name, data, invalid="drop")
    except ValueError as error:
        if name not in str(error):
            raise
        return None


@pytest.mark.parametrize("name", NAMES)
def test_empty_and_cut_files_name_themselves(tmp_path, handmade, name):
    with pytest.raises(ValueError, match=from_text(name) + ".*empty"):
        read(tmp_path, name, b"")
    whole = handmade[name]
    for length in (1, len(whole) // 3, len(whole) - 3 - 15 * name.startswith(("little", "big"))):
        with pytest.raises(ValueError, match=from_text(name)):
            read(tmp_path, name, whole[:length])


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(".bin")])
def test_another_programs_file_under_this_name(tmp_path, name):
    for foreign in (b"GIF89a" + bytes(500), b"<html>not found</html>" * 20, bytes(range(256)) * 4):
        with pytest.raises(ValueError, match=from_text(name)):
            read(tmp_path, name, foreign)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(NAMES),
    place=st.floats(0, 1, exclude_max=True),
    value=st.binary(min_size=1, max_size=6),
)
def test_flipped_bytes_never_crash(tmp_path, handmade, name, place, value):
    data = bytearray(handmade[name])
    at = int(place * len(data))
    data[at : at + len(value)] = value
    cloud = read_or_refuse(tmp_path, name, bytes(data))
    if cloud is not None:
        assert cloud.points.isfinite().all()
        assert cloud.points.shape == (len(cloud), 3)
        assert len(cloud) <= 1000


HOSTILE = [
    ("ascii.ply", b"element vertex 7", b"element vertex 99999999999", "vertex"),
    ("little.ply", b"element vertex 7", b"element vertex 99999999999", "vertex"),
    ("little.ply", b"element vertex 7", b"element vertex -1", "vertex"),
    ("little.ply", b"property float x", b"property float q", "property x"),
    ("binary.pcd", b"POINTS 7", b"POINTS 99999999999", "POINTS"),
    ("binary.pcd", b"WIDTH 7\nHEIGHT 1\n", b"WIDTH 9999999\nHEIGHT 99999\n", "POINTS"),
    ("ascii.pcd", b"POINTS 7", b"POINTS -7", "POINTS"),
    ("binary.pcd", b"FIELDS x", b"FIELDS q", "FIELDS x"),
    ("binary.pcd", b"SIZE 4 4", b"SIZE 4 3", "SIZE"),
    ("binary.pcd", b"SIZE 4 4 4", b"SIZE 4 4", "SIZE"),
    ("binary.pcd", b"DATA binary", b"DATA morse", "PCD"),
    ("survey.las", b"LASF", b"LASX", "LASF"),
]


@pytest.mark.parametrize(("name", "old", "new", "field"), HOSTILE)
def test_hostile_headers_name_the_field(tmp_path, handmade, name, old, new, field):
    data = handmade[name]
    assert old in data
    with pytest.raises(ValueError, match=f"{from_text(name)}.*{field}"):
        read(tmp_path, name, data.replace(old, new, 1))


@pytest.mark.parametrize("count", [8, 10**6, 2**32 - 1])
def test_las_point_count_beyond_the_file(tmp_path, handmade, count):
    data = bytearray(handmade["survey.las"])
    data[107:111] = struct.pack("<I", count)
    before = peak_memory.reset()
    with pytest.raises(ValueError, match=r"survey\.las"):
        read(tmp_path, "survey.las", bytes(data))
    assert peak_memory.highest() - before < 300_000, "kilobytes"


def test_laz_cut_and_scrambled(tmp_path, content):
    laspy = pytest.importorskip("laspy")
    survey = laspy.LasData(laspy.LasHeader(point_format=3, version="1.2"))
    survey.x, survey.y, survey.z = np.random.default_rng(0).normal(size=(3, 2000))
    survey.write(tmp_path / "whole.laz")
    whole = (tmp_path / "whole.laz").read_bytes()
    for length in (100, 300, len(whole) // 2, len(whole) - 1):
        with pytest.raises(ValueError, match=r"cut\.laz"):
            read(tmp_path, "cut.laz", whole[:length])
    rng = np.random.default_rng(1)
    for _ in range(60):
        data = np.frombuffer(whole, np.uint8).copy()
        data[rng.integers(0, 700, 3)] = rng.integers(0, 256, 3)
        read_or_refuse(tmp_path, "scrambled.laz", data.tobytes())


def test_wrong_columns_are_explained(tmp_path, handmade, label_file):
    with pytest.raises(ValueError, match=r"140 bytes.*nuScenes"):
        read(tmp_path, "scan.bin", handmade["sweep.pcd.bin"])
    (tmp_path / "x.bin").write_bytes(handmade["scan.bin"])
    (tmp_path / "x.label").write_bytes(label_file[:-4])
    with pytest.raises(ValueError, match=r"x\.label.*labels: 24 bytes, but the scan has 7 points"):
        read_points(tmp_path / "x.bin", labels=tmp_path / "x.label")
    (tmp_path / "a.ply").write_bytes(handmade["ascii.ply"])
    with pytest.raises(ValueError, match="only KITTI"):
        read_points(tmp_path / "a.ply", labels=tmp_path / "x.label")


def test_npz_shapes_objects_and_bombs(tmp_path, archive):
    with pytest.raises(ValueError, match=r"a\.npz.*points: the archive has no array"):
        read(tmp_path, "a.npz", archive(xyz=np.zeros((3, 3))))
    with pytest.raises(ValueError, match=r"points: has shape \(3, 2\)"):
        read(tmp_path, "a.npz", archive(points=np.zeros((3, 2))))
    with pytest.raises(ValueError, match=r"labels: has shape"):
        read(tmp_path, "a.npz", archive(points=np.zeros((3, 3)), labels=np.zeros(2, int)))
    with pytest.raises(ValueError, match=r"points: has shape .* and dtype <U"):
        read(tmp_path, "a.npz", archive(points=np.array([["a", "b", "c"]])))
    with pytest.raises(ValueError, match=r"a\.npz.*[Oo]bject"):
        read(tmp_path, "a.npz", archive(points=np.array([[{}, {}, {}]], dtype=object)))


def test_an_array_larger_than_its_archive_is_refused_before_memory_is_taken(tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 3)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("points.npy", stream.getvalue())
    with pytest.raises(ValueError, match=r"a\.npz.*points\.npy.*24000000000000 bytes"):
        read_points(tmp_path / "a.npz")


def test_no_points_no_file_no_reader(tmp_path, archive):
    with pytest.raises(ValueError, match="holds no points"):
        read(tmp_path, "a.npz", archive(points=np.zeros((0, 3))))
    with pytest.raises(FileNotFoundError, match=r"gone\.ply"):
        read_points(tmp_path / "gone.ply")
    with pytest.raises(ValueError, match=r"\.obj.*known endings are .*\.laz"):
        read_points(tmp_path / "mesh.obj")
    (tmp_path / "folder.ply").mkdir()
    with pytest.raises(ValueError, match="is not a file"):
        read_points(tmp_path / "folder.ply")


@pytest.fixture(scope="module")
def every_file(handmade):
    """All kinds, and compressed LAS with chunks of both sorts."""
    laspy = pytest.importorskip("laspy")
    files = dict(handmade)
    for version, point_format in (("1.2", 3), ("1.4", 7)):
        survey = laspy.LasData(laspy.LasHeader(point_format=point_format, version=version))
        survey.x, survey.y, survey.z = np.random.default_rng(0).normal(size=(3, 150))
        stream = io.BytesIO()
        survey.write(stream, do_compress=True)
        files[f"format{point_format}.laz"] = stream.getvalue()
    return files


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, "format3.laz", "format7.laz"])
def test_cut_at_every_seventh_byte(tmp_path, every_file, name):
    whole = every_file[name]
    for length in range(0, len(whole), 7):
        cloud = read_or_refuse(tmp_path, name, whole[:length])
        assert (
            cloud is None or len(cloud) < 7 or length > len(whole) - 30
        )  # headers and rows of ASCII, whole rows of .bin


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, "format3.laz", "format7.laz"])
def test_bytes_overwritten_at_random(tmp_path, every_file, name):
    """Seeded: runs of 0, of 255, of the digit 9 and of anything, most of them in the header; the process must survive."""
    rng, whole = random.Random(name), every_file[name]
    before = peak_memory.reset()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 1, 2, 4])):
            at = rng.randrange(min(len(data), rng.choice([400, len(data)])))
            length = rng.choice([1, 2, 4, 8])
            run = rng.choice([b"\0" * length, b"\xff" * length, b"9" * length, rng.randbytes(length)])
            data[at : at + length] = run[: len(data) - at]
        read_or_refuse(tmp_path, name, bytes(data))
    assert peak_memory.highest() - before < 500_000, "kilobytes"


def _laz_part(data, part):
    """Where the sizes stand that a LAZ file tells of itself."""
    record = data.index(b"laszip encoded") - 2 + 54
    points = int.from_bytes(data[96:100], "little")
    table = int.from_bytes(data[points : points + 8], "little")
    return {
        "chunk size": record + 12,
        "layers": points + 8 + 36 + 4,
        "place of the table": points,
        "chunks": table + 4,
    }[part]


@pytest.mark.parametrize(
    ("part", "value", "told"),
    [
        ("chunk size", 0xFFFFFFF0, "LAZ chunk size"),
        ("layers", 0x7FFFFFFF, "layers of 2147"),
        ("place of the table", 0x7FFFFFFF, "LAZ chunk table"),
        ("chunks", 0xFFFFFFFF, "4294967295 chunks for 150 points"),
    ],
)
def test_sizes_of_laz_are_checked_before_memory_is_taken(tmp_path, every_file, part, value, told):
    """The decoder believes them, and ends the process where it cannot have the memory."""
    data = bytearray(every_file["format7.laz"])
    at = _laz_part(data, part)
    data[at : at + 4] = value.to_bytes(4, "little")
    with pytest.raises(ValueError, match=rf"format7\.laz.*{told}"):
        read(tmp_path, "format7.laz", bytes(data))


def test_what_is_no_exception_is_an_error_all_the_same(tmp_path):
    """A panic in Rust derives from BaseException; an interrupt of the user does too, and passes."""

    class PanicException(BaseException):
        pass

    with (
        pytest.raises(ValueError, match=r"a\.laz.*LAS data: damaged or not LAS: index out of bounds"),
        reading(tmp_path / "a.laz", "LAS"),
    ):
        raise PanicException("index out of bounds")
    for passing in (KeyboardInterrupt, SystemExit, ModuleNotFoundError):
        with pytest.raises(passing), reading(tmp_path / "a.laz", "LAS"):
            raise passing

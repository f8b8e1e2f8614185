"""Files as PCL, Open3D, CloudCompare and older programs write them: the same values, or an error that says what is odd."""

import struct

import numpy as np
import pytest

from tamis.voxel.files import read_points

ROWS = np.array([[1.5, -2.0, 0.25, 10], [0.5, 0.0, 4.0, 20], [3.0, 4.0, 5.0, 30]])


def read(folder, name, data, **options):
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_points(folder / name, **options)


PCD_HEADERS = {
    "version .5, COLUMNS, no COUNT, no HEIGHT": "# .PCD v.5 - Point Cloud Data file format\nVERSION .5\nCOLUMNS x y z curvature\nSIZE 4 4 4 4\nTYPE F F F F\nWIDTH 3\nPOINTS 3\n",
    "version .5 as PCL wrote it": "VERSION .5\nFIELDS x y z curvature\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\nWIDTH 3\nHEIGHT 1\nPOINTS 3\n",
    "version 0.6": "# comment\nVERSION 0.6\nFIELDS x y z curvature\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\nWIDTH 3\nHEIGHT 1\nPOINTS 3\n",
    "no version, no points": "FIELDS x y z curvature\nSIZE 4 4 4 4\nTYPE F F F F\nWIDTH 3\nHEIGHT 1\n",
    "capitals": "VERSION 0.7\nFIELDS X Y Z curvature\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\nWIDTH 3\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 3\n",
    "tabs and Windows lines": "VERSION\t0.7\r\nFIELDS\tx\ty\tz\tcurvature\r\nSIZE\t4\t4\t4\t4\r\nTYPE\tF\tF\tF\tF\r\nCOUNT\t1\t1\t1\t1\r\nWIDTH\t3\r\nHEIGHT\t1\r\nVIEWPOINT\t0\t0\t0\t1\t0\t0\t0\r\nPOINTS\t3\r\n",
    "organised": "VERSION 0.7\nFIELDS x y z curvature\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\nWIDTH 1\nHEIGHT 3\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 3\n",
}
BODIES = {
    "ascii": "1.5 -2 0.25 10\n0.5 0 4 20\n3 4 5 30\n",
    "ascii, tabs, blanks and empty lines": "1.5\t-2\t0.25\t10\n  0.5   0 4 20  \n\n3 4 5 30",
    "ascii, Windows lines": "1.5 -2 0.25 1e1\r\n5e-1 0 4 20\r\n3 4 5 30\r\n",
    "binary": ROWS.astype("<f4").tobytes(),
}


@pytest.mark.parametrize("header", PCD_HEADERS)
@pytest.mark.parametrize("body", BODIES)
def test_pcd_of_every_version(tmp_path, header, body):
    data = BODIES[body] if isinstance(BODIES[body], bytes) else BODIES[body].encode()
    cloud = read(tmp_path, "a.pcd", f"{PCD_HEADERS[header]}DATA {body.split(',')[0]}\n".encode() + data)
    assert cloud.points.tolist() == ROWS[:, :3].tolist()
    assert cloud.feature_names == ("curvature",)
    assert cloud.features[:, 0].tolist() == [10, 20, 30]


def test_pcd_with_padding_and_a_histogram(tmp_path):
    """PCL pads points to 16 bytes with fields called _, and stores descriptors as fields of a higher count."""
    row = struct.Struct("<3f4B5fBxxx")
    header = (
        "VERSION 0.7\nFIELDS x y z _ fpfh Label _\nSIZE 4 4 4 1 4 1 1\nTYPE F F F U F U U\nCOUNT 1 1 1 4 5 1 3\n"
        "WIDTH 2\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 2\nDATA binary\n"
    )
    body = row.pack(1, 2, 3, *range(4), *range(5), 7) + row.pack(4, 5, 6, *range(4), *range(5), 250)
    cloud = read(tmp_path, "a.pcd", header.encode() + body)
    assert cloud.points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert cloud.feature_names == ()
    assert cloud.labels.tolist() == [7, 250]


def test_pcd_of_one_point_and_one_that_has_more_lines_than_points(tmp_path):
    header = "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH {n}\nHEIGHT 1\nPOINTS {n}\nDATA ascii\n"
    assert read(tmp_path, "a.pcd", header.format(n=1) + "1 2 3\n").points.tolist() == [[1, 2, 3]]
    with pytest.raises(ValueError, match=r"a\.pcd.*POINTS says 1, but 2 are there"):
        read(tmp_path, "a.pcd", header.format(n=1) + "1 2 3\n4 5 6\n")


@pytest.mark.parametrize("kind", ["ascii", "binary"])
def test_labels_are_whole_or_missing_never_cast(tmp_path, kind):
    header = "VERSION 0.7\nFIELDS x y z label\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\nWIDTH 3\nHEIGHT 1\nPOINTS 3\n"

    def pcd(labels):
        table = np.column_stack([ROWS[:, :3], labels]).astype("<f4")
        text = "\n".join(" ".join(map(str, row)) for row in table.tolist())
        body = text.encode() if kind == "ascii" else table.tobytes()
        return f"{header}DATA {kind}\n".encode() + body

    assert read(tmp_path, "a.pcd", pcd([3, np.nan, -7])).labels.tolist() == [3, -1, -7]
    for odd in (2.7, np.inf, 1e30):
        with pytest.raises(ValueError, match=r"a\.pcd.*labels: 1 of 3 are no whole numbers of 64 bits"):
            read(tmp_path, "a.pcd", pcd([3, odd, np.nan]))


def ply(properties, lines, kind="ascii", eol="\n", before=""):
    header = f"ply\nformat {kind} 1.0\n{before}element vertex {len(lines)}\n{properties}end_header\n"
    return (header + "\n".join(lines) + "\n").replace("\n", eol).encode()


XYZ = "property float x\nproperty float y\nproperty float z\n"


def test_ply_labels_are_whole_or_missing_never_cast(tmp_path):
    """CloudCompare writes scalar fields as floats, and NaN where a point has no value."""
    field = XYZ + "property float scalar_Classification\n"
    cloud = read(tmp_path, "a.ply", ply(field, ["1 2 3 6", "4 5 6 nan", "7 8 9 2.0"]))
    assert cloud.labels.tolist() == [6, -1, 2]
    with pytest.raises(
        ValueError, match=r"a\.ply.*labels: 1 of 2 are no whole numbers of 64 bits, the first is 2\.7"
    ):
        read(tmp_path, "a.ply", ply(field, ["1 2 3 6", "4 5 6 2.7"]))


def test_ply_of_cloudcompare_and_open3d(tmp_path):
    colours = "property uchar red\nproperty uchar green\nproperty uchar blue\n"
    cloud = read(
        tmp_path,
        "a.ply",
        ply(
            XYZ + colours + "property float scalar_Intensity\n",
            ["1 2 3 255 0 9 0.5", "4 5 6 1 2 3 nan"],
            before="comment Created by CloudCompare v2.13\nobj_info Generated by CloudCompare!\n",
            eol="\r\n",
        ),
    )
    assert cloud.points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert cloud.feature_names == ("red", "green", "blue", "scalar_Intensity")
    assert cloud.features.tolist() == [[255, 0, 9, 0.5], [1, 2, 3, 0]]
    assert cloud.replaced == {"scalar_Intensity": 1}
    doubles = "property double X\nproperty double Y\nproperty double Z\nproperty double nx\n"
    header = f"ply\nformat binary_little_endian 1.0\ncomment Created by Open3D\nelement vertex 2\n{doubles}end_header\n"
    cloud = read(tmp_path, "b.ply", header.encode() + struct.pack("<8d", 1, 2, 3, 0.5, 4, 5, 6, -0.5))
    assert cloud.points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert cloud.features[:, 0].tolist() == [0.5, -0.5]


@pytest.mark.parametrize("order", ["little", "big"])
def test_ply_with_lists_among_the_properties(tmp_path, order):
    mark = "<" if order == "little" else ">"
    header = (
        f"ply\nformat binary_{order}_endian 1.0\nelement camera 1\nproperty list uchar double pose\nelement vertex 2\n"
        "property double x\nproperty list uint short views\nproperty double y\nproperty double z\nproperty ushort label\nend_header\n"
    )
    body = struct.pack(f"{mark}B2d", 2, 0.5, 0.5)
    body += struct.pack(f"{mark}dI3hddH", 1.5, 3, 1, 2, 3, 2.5, 3.5, 300)
    body += struct.pack(f"{mark}dIddH", -1.5, 0, -2.5, -3.5, 65535)
    cloud = read(tmp_path, "a.ply", header.encode() + body)
    assert cloud.points.tolist() == [[1.5, 2.5, 3.5], [-1.5, -2.5, -3.5]]
    assert cloud.labels.tolist() == [300, 65535]
    assert cloud.feature_names == ()


def test_unsigned_labels_beyond_64_bits(tmp_path, archive):
    labels = np.array([1, 2**63], np.uint64)
    with pytest.raises(
        ValueError, match=r"labels: 1 of 2 are no whole numbers of 64 bits, the first is 9223372036854775808"
    ):
        read(tmp_path, "a.npz", archive(points=np.zeros((2, 3)), labels=labels))


def test_big_endian_and_reversed_arrays(tmp_path, archive):
    points = np.arange(12, dtype=">f8").reshape(4, 3)[::-1]
    cloud = read(
        tmp_path, "a.npz", archive(points=points, features=points[:, :1], labels=np.arange(4, dtype=">i2"))
    )
    assert cloud.points.tolist() == [[9, 10, 11], [6, 7, 8], [3, 4, 5], [0, 1, 2]]
    assert cloud.features[:, 0].tolist() == [9, 6, 3, 0]
    assert cloud.labels.tolist() == [0, 1, 2, 3]

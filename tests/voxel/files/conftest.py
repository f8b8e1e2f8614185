"""The same seven points as files of every kind, laid out byte by byte after the published formats."""

import io
import struct
import zipfile

import numpy as np
import pytest

POINTS = np.array(
    [[1.5, -2.0, 0.25], [0, 0, 0], [3, 4, 5], [-1, -1, -1], [9, 8, 7], [0.5, 0.25, 0.125], [2, 2, 2]]
)
INTENSITY = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 0.125, 0.375])
LABELS = np.array([10, 40, 40, 70, 50, 0, 81])


def kitti() -> bytes:
    return np.column_stack([POINTS, INTENSITY]).astype("<f4").tobytes()


def kitti_labels() -> bytes:
    return ((np.arange(7, dtype="<u4") << 16) | LABELS.astype("<u4")).tobytes()


def nuscenes() -> bytes:
    return np.column_stack([POINTS, INTENSITY, np.arange(7)]).astype("<f4").tobytes()


def ply(kind: str) -> bytes:
    header = (
        f"ply\nformat {kind} 1.0\ncomment by hand\nelement vertex 7\nproperty float x\nproperty float y\n"
        "property double z\nproperty uchar label\nproperty float intensity\n"
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = zip(POINTS, LABELS, INTENSITY, strict=True)
    if kind == "ascii":
        lines = [f"{p[0]} {p[1]} {p[2]} {label} {value}" for p, label, value in rows]
        return (header + "\n".join([*lines, "3 0 1 2"]) + "\n").encode()
    order = "<" if "little" in kind else ">"
    body = b"".join(struct.pack(f"{order}ffdBf", *p, label, value) for p, label, value in rows)
    return header.encode() + body + struct.pack(f"{order}B3i", 3, 0, 1, 2)


def pcd(kind: str) -> bytes:
    header = (
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x y z intensity rgb label\n"
        "SIZE 4 4 4 4 4 4\nTYPE F F F F F U\nCOUNT 1 1 1 1 1 1\nWIDTH 7\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\n"
        f"POINTS 7\nDATA {kind}\n"
    ).encode()
    colour = np.full(7, 0x00FF8001, "<u4")
    columns = [*POINTS.T.astype("<f4"), INTENSITY.astype("<f4"), colour.view("<f4"), LABELS.astype("<u4")]
    if kind == "ascii":
        lines = zip(*columns, strict=True)
        return header + "\n".join(" ".join(repr(v.item()) for v in line) for line in lines).encode() + b"\n"
    if kind == "binary":
        return header + b"".join(b"".join(v.tobytes() for v in row) for row in zip(*columns, strict=True))
    raw = b"".join(column.tobytes() for column in columns)
    packed = b"".join(
        bytes([len(part) - 1]) + part for part in (raw[i : i + 32] for i in range(0, len(raw), 32))
    )
    return header + struct.pack("<II", len(packed), len(raw)) + packed


def las(offset=(600_000.0, 5_700_000.0, 100.0)) -> bytes:
    """LAS 1.2, point format 0: a 227-byte header and 20 bytes per point, coordinates in millimetres."""
    scale = 0.001
    header = struct.pack(
        "<4sHHIHH8sBB32s32sHHHIIBHI5I",
        b"LASF", 0, 0, 0, 0, 0, b"\0" * 8, 1, 2, b"tests".ljust(32, b"\0"), b"by hand".ljust(32, b"\0"),
        1, 2026, 227, 227, 0, 0, 20, 7, 7, 0, 0, 0, 0,
    )  # fmt: skip
    high, low = POINTS.max(0) + offset, POINTS.min(0) + offset
    bounds = [v for pair in zip(high, low, strict=True) for v in pair]
    header += struct.pack("<3d3d6d", scale, scale, scale, *offset, *bounds)
    assert len(header) == 227
    rows = zip(np.rint(POINTS / scale).astype(int), (INTENSITY * 1000).astype(int), LABELS % 32, strict=True)
    return header + b"".join(
        struct.pack("<3iHBBbBH", *point, intensity, 0b00001001, label, 0, 0, 0)
        for point, intensity, label in rows
    )


def npz(**arrays) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array))
            archive.writestr(f"{name}.npy", member.getvalue())
    return stream.getvalue()


FILES = {
    "scan.bin": kitti,
    "sweep.pcd.bin": nuscenes,
    "ascii.ply": lambda: ply("ascii"),
    "little.ply": lambda: ply("binary_little_endian"),
    "big.ply": lambda: ply("binary_big_endian"),
    "ascii.pcd": lambda: pcd("ascii"),
    "binary.pcd": lambda: pcd("binary"),
    "packed.pcd": lambda: pcd("binary_compressed"),
    "survey.las": las,
    "array.npz": lambda: npz(
        points=POINTS, features=INTENSITY[:, None], feature_names=["intensity"], labels=LABELS
    ),
}


@pytest.fixture(scope="session")
def handmade():
    """Name of file -> its bytes."""
    return {name: make() for name, make in FILES.items()}


@pytest.fixture(scope="session")
def content():
    return POINTS, INTENSITY, LABELS


@pytest.fixture(scope="session")
def archive():
    return npz


@pytest.fixture(scope="session")
def label_file():
    return kitti_labels()

"""PLY point clouds and meshes (their vertices), through plyfile."""

import re
from pathlib import Path

from tamis.voxel.files.point_cloud import (
    Column,
    Invalid,
    PointCloud,
    check_file,
    damaged,
    point_cloud,
    reading,
)

_LABEL_NAMES = ("label", "class", "classification", "scalar_Classification", "scalar_Label")
_HEADER_BYTES = 65_536


def read_ply(path: Path, *, invalid: Invalid = "error") -> PointCloud:
    """The vertices of an ASCII or binary PLY file; scalar properties beside x, y, z become features.

    A property called label, class or classification becomes the labels.
    """
    _check_header(check_file(path))
    from plyfile import PlyData  # an extra: only PLY needs it

    with reading(path, "PLY"):
        vertices = PlyData.read(str(path))["vertex"].data
        columns: dict[str, Column] = {
            name: vertices[name] for name in vertices.dtype.names or () if vertices[name].dtype != object
        }
    missing = [axis for axis in "xyz" if axis not in columns]
    if missing:
        raise damaged(
            path, f"vertex property {missing[0]}", f"missing; the file has {', '.join(columns) or 'none'}"
        )
    x, y, z = (columns.pop(axis) for axis in "xyz")
    labels = next((columns.pop(name) for name in _LABEL_NAMES if name in columns), None)
    return point_cloud(path, (x, y, z), columns, labels, invalid=invalid)


def _check_header(path: Path) -> None:
    """No element may claim more rows than the file has bytes: such a count would only exhaust memory."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if not head.startswith(b"ply"):
        raise damaged(path, "PLY header", "the file does not begin with 'ply'")
    if b"end_header" not in head:
        raise damaged(path, "PLY header", "has no end_header line")
    for name, count in re.findall(rb"^element\s+(\S+)\s+(-?\d+)", head.split(b"end_header")[0], re.MULTILINE):
        if not 0 <= int(count) <= path.stat().st_size:
            raise damaged(
                path,
                f"element {name.decode(errors='replace')}",
                f"count {int(count)} cannot fit into the file",
            )

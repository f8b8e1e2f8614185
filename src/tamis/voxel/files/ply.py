"""PLY point clouds and meshes (their vertices), through plyfile."""

import re
from pathlib import Path

from tamis.voxel.files.point_cloud import (
    Column,
    Invalid,
    PointCloud,
    check_file,
    damaged,
    named_columns,
    point_cloud,
    reading,
)

_HEADER_BYTES = 65_536


def read_ply(path: Path, *, invalid: Invalid = "error", metres_per_unit: float | None = None) -> PointCloud:
    """The vertices of an ASCII or binary PLY file; scalar properties beside x, y, z become features.

    A property called label, class, classification, scalar_Label or scalar_Classification becomes the labels. Lists are
    left out.
    """
    _check_header(check_file(path))
    from plyfile import PlyData  # an extra: only PLY needs it

    with reading(path, "PLY"):
        vertices = PlyData.read(str(path))["vertex"].data
        columns: dict[str, Column] = {
            name: vertices[name] for name in vertices.dtype.names or () if vertices[name].dtype != object
        }
    named = named_columns(path, "vertex property", columns)
    return point_cloud(path, named, invalid=invalid, metres_per_unit=metres_per_unit)


def _check_header(path: Path) -> None:
    """No element may claim more rows than the file has bytes: such a count would only exhaust memory."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if not head.startswith(b"ply"):
        raise damaged(path, "PLY header", "the file does not begin with 'ply'")
    if b"end_header" not in head:
        raise damaged(path, "PLY header", "has no end_header line")
    elements = re.split(rb"^element\s+", head.split(b"end_header")[0], flags=re.MULTILINE)[1:]
    for element in elements:
        words = element.split(None, 2)
        name = words[0].decode(errors="replace") if words else ""
        properties = len(re.findall(rb"^property\s", element, re.MULTILINE))
        count = int(words[1]) if len(words) > 1 and re.fullmatch(rb"-?\d{1,18}", words[1]) else -1
        if not 0 <= count * max(1, properties) <= size:  # a value takes a byte at least
            raise damaged(path, f"element {name}", f"count {words[1:2]} cannot fit into the file")

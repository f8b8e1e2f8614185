"""LAS and LAZ files of airborne and terrestrial surveys, through laspy and lazrs."""

from pathlib import Path
from typing import Any

import numpy as np

from tamis.voxel.files.las_chunks import check_chunks
from tamis.voxel.files.las_units import units_of
from tamis.voxel.files.point_cloud import (
    Column,
    Columns,
    Invalid,
    PointCloud,
    Triple,
    check_file,
    damaged,
    point_cloud,
    reading,
    side_by_side,
)

_CHUNK_POINTS = 250_000  # stays in the cache
_POINTS_PER_BYTE = 4  # LAZ needs several bits for a point even where all are alike
_FEATURES = ("intensity", "return_number", "number_of_returns", "red", "green", "blue")


def read_las(path: Path, *, invalid: Invalid = "error", metres_per_unit: float | None = None) -> PointCloud:
    """A LAS or LAZ file. Labels are its classification; features are intensity, returns, and colours if it has them.

    Survey coordinates are large: the points are relative to ``origin``. Feet become metres where the file has a coordinate
    reference system that says so; degrees are refused. Without one, or with ``metres_per_unit``, nothing is looked up.
    """
    _check_header(check_file(path))
    import laspy  # an extra: only LAS and LAZ need it

    with reading(path, "LAS"), laspy.open(path) as file:
        units = units_of(path, file.header) if metres_per_unit is None else metres_per_unit
        columns = _columns(path, file)
    return point_cloud(path, columns, invalid=invalid, metres_per_unit=units)


def _columns(path: Path, file: Any) -> Columns:
    """The coordinates stay the integers of the file; its scale and offset go with them."""
    header, size = file.header, path.stat().st_size
    if header.point_count > _POINTS_PER_BYTE * size:
        raise damaged(path, "LAS point count", f"{header.point_count} points cannot fit into {size} bytes")
    if header.are_points_compressed:
        check_chunks(path, header)
    features = tuple(name for name in _FEATURES if name in set(header.point_format.dimension_names))
    chunks: list[list[Column]] = []
    # In chunks, so that a hostile point count runs into the end of the file and not out of memory.
    for chunk in file.chunk_iterator(_CHUNK_POINTS):
        if len(chunk) == 0:
            break
        table = side_by_side([np.asarray(chunk[name]) for name in features], len(chunk))
        chunks.append([*(np.array(chunk[name]) for name in (*"XYZ", "classification")), table])
    found = sum(len(chunk[0]) for chunk in chunks)
    if found != header.point_count:
        raise damaged(
            path,
            "LAS points",
            f"truncated: the header promises {header.point_count} points, {found} are there",
        )
    if not chunks:
        raise damaged(path, "LAS points", "the file holds no points")
    x, y, z, labels, table = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    return Columns((x, y, z), features, table, labels, _triple(header.scales), _triple(header.offsets))


def _triple(values: Any) -> Triple:
    x, y, z = (float(value) for value in values)
    return (x, y, z)


def _check_header(path: Path) -> None:
    """Signature, and no more variable-length records than the file could hold: laspy would read every one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(247)
    if not head.startswith(b"LASF"):
        raise damaged(path, "LAS signature", "the file does not begin with 'LASF'")
    counts = [("number of VLRs", 100, 54), ("number of EVLRs", 243, 60)]
    if len(head) < 104 or head[25] < 4:  # extended records came with version 1.4
        counts.pop()
    for field, offset, smallest in counts:
        count = int.from_bytes(head[offset : offset + 4], "little")
        if count * smallest > size:
            raise damaged(path, f"LAS {field}", f"{count} cannot fit into {size} bytes")

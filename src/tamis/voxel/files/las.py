"""LAS and LAZ files of airborne and terrestrial surveys, through laspy and lazrs."""

from pathlib import Path

import numpy as np

from tamis.voxel.files.point_cloud import (
    Column,
    Invalid,
    PointCloud,
    check_file,
    damaged,
    point_cloud,
    reading,
)

_CHUNK_POINTS = 1_000_000
_POINTS_PER_BYTE = 4  # LAZ needs several bits for a point even where all are alike
_FEATURES = ("intensity", "return_number", "number_of_returns", "red", "green", "blue")


def read_las(path: Path, *, invalid: Invalid = "error") -> PointCloud:
    """A LAS or LAZ file. Labels are its classification; features are intensity, returns, and colours if it has them.

    Survey coordinates are large: the points are relative to ``origin``.
    """
    _check_header(check_file(path))
    import laspy  # an extra: only LAS and LAZ need it

    chunks: list[dict[str, Column]] = []
    with reading(path, "LAS"), laspy.open(path) as file:
        promised = file.header.point_count
        if promised > _POINTS_PER_BYTE * path.stat().st_size:
            raise damaged(
                path, "LAS point count", f"{promised} points cannot fit into {path.stat().st_size} bytes"
            )
        names = [name for name in _FEATURES if name in file.header.point_format.dimension_names]
        # In chunks, so that a hostile point count runs into the end of the file and not out of memory.
        for chunk in file.chunk_iterator(_CHUNK_POINTS):
            columns = {name: np.asarray(chunk[name]) for name in (*"xyz", *names, "classification")}
            if len(columns["x"]) == 0:
                break
            chunks.append(columns)
    found = sum(len(chunk["x"]) for chunk in chunks)
    if found != promised:
        raise damaged(
            path, "LAS points", f"truncated: the header promises {promised} points, {found} are there"
        )
    if not chunks:
        raise damaged(path, "LAS points", "the file holds no points")
    whole = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    labels = whole.pop("classification")
    x, y, z = (whole.pop(axis) for axis in "xyz")
    return point_cloud(path, (x, y, z), whole, labels, invalid=invalid)


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

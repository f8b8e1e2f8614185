"""Files without a header: KITTI and SemanticKITTI scans, their labels, and nuScenes sweeps."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tamis.voxel.files.column_check import check_columns
from tamis.voxel.files.point_cloud import (
    Columns,
    Invalid,
    PointCloud,
    check_file,
    damaged,
    named_columns,
    point_cloud,
)

_KITTI = ("x", "y", "z", "intensity")
_NUSCENES = ("x", "y", "z", "intensity", "ring")
_MOST_COLUMNS = 256

ColumnNames = int | Sequence[str]


def read_kitti(
    path: Path,
    labels: Path | None = None,
    *,
    columns: ColumnNames | None = None,
    invalid: Invalid = "error",
    metres_per_unit: float | None = None,
) -> PointCloud:
    """A KITTI or SemanticKITTI scan: float32 x, y, z, intensity, little-endian; or other ``columns`` of float32.

    ``labels`` is a SemanticKITTI ``.label`` file: one uint32 per point, class in the low 16 bits (kept), instance
    in the high ones (dropped). It also tells how many points there are. Without it and without ``columns``, values that
    do not look like these four columns are an error.
    """
    count = None if labels is None else check_file(labels).stat().st_size / 4
    found = _columns(path, _KITTI, columns, count)
    if labels is not None:
        found = replace(found, labels=_classes(labels, len(found.axes[0])))
    return point_cloud(path, found, invalid=invalid, metres_per_unit=metres_per_unit)


def read_nuscenes(
    path: Path,
    *,
    columns: ColumnNames | None = None,
    invalid: Invalid = "error",
    metres_per_unit: float | None = None,
) -> PointCloud:
    """A nuScenes lidar sweep: float32 x, y, z, intensity, ring index, little-endian; or other ``columns`` of float32."""
    found = _columns(path, _NUSCENES, columns, None)
    return point_cloud(path, found, invalid=invalid, metres_per_unit=metres_per_unit)


def _columns(path: Path, usual: tuple[str, ...], given: ColumnNames | None, points: float | None) -> Columns:
    """The columns by name: the ``given`` ones, else the ``usual``, if the values look like them."""
    names = usual if given is None else _names(given)
    table = _table(path, len(names))
    if given is None and points != len(table):
        check_columns(path, table, usual)
    named = {name: table[:, place] for place, name in enumerate(names) if name != "_"}
    return named_columns(path, "column", named)


def _names(given: ColumnNames) -> tuple[str, ...]:
    if isinstance(given, int):
        names = (*_KITTI, *(f"column_{place}" for place in range(4, given)))[: max(given, 0)]
    else:
        names = tuple(given)
    named = [name for name in names if name != "_"]
    if isinstance(given, str) or len(set(named)) < len(named) or not 3 <= len(names) <= _MOST_COLUMNS:
        raise ValueError(
            f"read_points(..., columns={given!r}): expected distinct names in the order of the file, x, y and z among them "
            f'("_" for a column to leave out), or how many columns there are: x, y, z, intensity and further ones.'
        )
    return names


def _table(path: Path, columns: int) -> npt.NDArray[np.float32]:
    size, row = check_file(path).stat().st_size, 4 * columns
    if size % row:
        raise damaged(
            path,
            f"{columns} columns",
            f"{size} bytes are no whole number of points of {row} bytes ({size % row} left over): the file is "
            f"truncated, or has other columns. KITTI .bin has 4 float32 columns, nuScenes .pcd.bin has 5; "
            f"give columns= for others.",
        )
    return np.fromfile(path, "<f4").reshape(-1, columns)


def _classes(path: Path, points: int) -> npt.NDArray[np.int64]:
    size = check_file(path).stat().st_size
    if size != 4 * points:
        raise damaged(
            path,
            "labels",
            f"{size} bytes, but the scan has {points} points, which need {4 * points} (uint32 each)",
        )
    return (np.fromfile(path, "<u4") & 0xFFFF).astype(np.int64)

"""Point clouds from files: one function for all kinds, one reader per kind."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tamis.voxel.files.las import read_las
from tamis.voxel.files.npz import read_npz
from tamis.voxel.files.pcd import read_pcd
from tamis.voxel.files.ply import read_ply
from tamis.voxel.files.point_cloud import Invalid, PointCloud
from tamis.voxel.files.raw import read_kitti, read_nuscenes

__all__ = [
    "PointCloud",
    "ending_of",
    "read_kitti",
    "read_las",
    "read_npz",
    "read_nuscenes",
    "read_pcd",
    "read_ply",
    "read_points",
]

# Endings in the order they are tried.
_READERS: dict[str, Callable[..., PointCloud]] = {
    ".pcd.bin": read_nuscenes,
    ".bin": read_kitti,
    ".ply": read_ply,
    ".pcd": read_pcd,
    ".las": read_las,
    ".laz": read_las,
    ".npz": read_npz,
}


def read_points(
    path: str | Path,
    *,
    labels: str | Path | None = None,
    columns: int | Sequence[str] | None = None,
    invalid: Invalid = "error",
    metres_per_unit: float | None = None,
) -> PointCloud:
    """Read a point cloud; the kind follows from the file's ending.

    Parameters
    ----------
    path : str or Path
        ``.bin`` (KITTI, SemanticKITTI), ``.pcd.bin`` (nuScenes), ``.ply``, ``.pcd``, ``.las``, ``.laz``, ``.npz``.
    labels : str or Path, optional
        A SemanticKITTI ``.label`` file beside a ``.bin`` scan. The other kinds carry their labels themselves.
    columns : sequence of str, or int, optional
        Of a ``.bin`` or ``.pcd.bin`` file, which has no header: the names of its float32 columns, x, y and z among them,
        ``"_"`` for one to leave out; or their number: x, y, z, intensity and further ones. Default: x, y, z, intensity, and
        ring in ``.pcd.bin``; a file whose values do not look like that, or may as well be something else, is an error.
    invalid : {"error", "drop"}
        What to do with points that have a NaN or infinite coordinate. Such values in other columns never cost a point:
        they become 0, which ``replaced`` counts and a warning tells, and -1 in the labels.
    metres_per_unit : float, optional
        0.3048 for a file in feet. Default: what a LAS or LAZ file's coordinate reference system says, else 1.

    Returns
    -------
    PointCloud

    Raises
    ------
    ValueError
        If the kind is unknown; the file is empty, truncated or damaged, or its labels are no whole numbers; a LAS file is in
        degrees. The message names file and field.
    FileNotFoundError
        If there is no such file.
    """
    path = Path(path)
    ending = ending_of(path.name)
    if ending is None:
        raise ValueError(
            f"read_points({str(path)!r}): unknown kind of file; known endings are {', '.join(_READERS)}."
        )
    reader, options = _READERS[ending], dict[str, Any]()
    if labels is not None:
        if reader is not read_kitti:
            raise ValueError(
                f"read_points({str(path)!r}, labels=...): only KITTI .bin scans take a separate label file."
            )
        options["labels"] = Path(labels)
    if columns is not None:
        if reader not in (read_kitti, read_nuscenes):
            raise ValueError(
                f"read_points({str(path)!r}, columns=...): only .bin and .pcd.bin files have no names of their own."
            )
        options["columns"] = columns
    return reader(path, invalid=invalid, metres_per_unit=metres_per_unit, **options)


def ending_of(name: str) -> str | None:
    """The ending by which a reader is chosen, or None where none fits; ``"sweep.pcd.bin"`` ends in ``".pcd.bin"``."""
    return next((ending for ending in _READERS if name.lower().endswith(ending)), None)

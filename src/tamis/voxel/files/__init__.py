"""Point clouds from files: one function for all kinds, one reader per kind."""

from collections.abc import Callable
from pathlib import Path

from tamis.voxel.files.las import read_las
from tamis.voxel.files.npz import read_npz
from tamis.voxel.files.pcd import read_pcd
from tamis.voxel.files.ply import read_ply
from tamis.voxel.files.point_cloud import Invalid, PointCloud
from tamis.voxel.files.raw import read_kitti, read_nuscenes

__all__ = [
    "PointCloud",
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
    path: str | Path, *, labels: str | Path | None = None, invalid: Invalid = "error"
) -> PointCloud:
    """Read a point cloud; the kind follows from the file's ending.

    Parameters
    ----------
    path : str or Path
        ``.bin`` (KITTI, SemanticKITTI), ``.pcd.bin`` (nuScenes), ``.ply``, ``.pcd``, ``.las``, ``.laz``, ``.npz``.
    labels : str or Path, optional
        A SemanticKITTI ``.label`` file beside a ``.bin`` scan. The other kinds carry their labels themselves.
    invalid : {"error", "drop"}
        What to do with points that have a NaN or infinite value.

    Returns
    -------
    PointCloud

    Raises
    ------
    ValueError
        If the kind is unknown, or the file is empty, truncated or damaged; the message names file and field.
    FileNotFoundError
        If there is no such file.
    """
    path = Path(path)
    reader = next((read for ending, read in _READERS.items() if path.name.lower().endswith(ending)), None)
    if reader is None:
        raise ValueError(
            f"read_points({str(path)!r}): unknown kind of file; known endings are {', '.join(_READERS)}."
        )
    if labels is None:
        return reader(path, invalid=invalid)
    if reader is not read_kitti:
        raise ValueError(
            f"read_points({str(path)!r}, labels=...): only KITTI .bin scans take a separate label file."
        )
    return read_kitti(path, Path(labels), invalid=invalid)

"""Files without a header: KITTI and SemanticKITTI scans, their labels, and nuScenes sweeps."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tamis.voxel.files.point_cloud import Invalid, PointCloud, check_file, damaged, point_cloud

_KITTI = ("x", "y", "z", "intensity")
_NUSCENES = ("x", "y", "z", "intensity", "ring")


def read_kitti(path: Path, labels: Path | None = None, *, invalid: Invalid = "error") -> PointCloud:
    """A KITTI or SemanticKITTI scan: float32 x, y, z, intensity, little-endian.

    ``labels`` is a SemanticKITTI ``.label`` file: one uint32 per point, class in the low 16 bits (kept), instance
    in the high ones (dropped).
    """
    table = _table(path, _KITTI)
    classes = None if labels is None else _classes(labels, len(table))
    return point_cloud(
        path, (table[:, 0], table[:, 1], table[:, 2]), {"intensity": table[:, 3]}, classes, invalid=invalid
    )


def read_nuscenes(path: Path, *, invalid: Invalid = "error") -> PointCloud:
    """A nuScenes lidar sweep: float32 x, y, z, intensity, ring index, little-endian."""
    table = _table(path, _NUSCENES)
    features = {"intensity": table[:, 3], "ring": table[:, 4]}
    return point_cloud(path, (table[:, 0], table[:, 1], table[:, 2]), features, invalid=invalid)


def _table(path: Path, fields: tuple[str, ...]) -> npt.NDArray[np.float32]:
    size, row = check_file(path).stat().st_size, 4 * len(fields)
    if size % row:
        raise damaged(
            path,
            " ".join(fields),
            f"{size} bytes are no whole number of points of {row} bytes ({size % row} left over): the file is "
            f"truncated, or has other columns. KITTI .bin has 4 float32 columns, nuScenes .pcd.bin has 5.",
        )
    return np.fromfile(path, "<f4").reshape(-1, len(fields))


def _classes(path: Path, points: int) -> npt.NDArray[np.int64]:
    size = check_file(path).stat().st_size
    if size != 4 * points:
        raise damaged(
            path,
            "labels",
            f"{size} bytes, but the scan has {points} points, which need {4 * points} (uint32 each)",
        )
    return (np.fromfile(path, "<u4") & 0xFFFF).astype(np.int64)

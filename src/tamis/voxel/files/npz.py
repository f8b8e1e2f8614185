"""NumPy archives: ``np.savez(path, points=..., features=..., labels=...)``."""

import zipfile
from pathlib import Path

import numpy as np

from tamis.voxel.files.point_cloud import (
    Column,
    Columns,
    Invalid,
    PointCloud,
    check_file,
    damaged,
    point_cloud,
    reading,
    side_by_side,
)

_ARRAYS = ("points", "features", "labels")


def read_npz(path: Path, *, invalid: Invalid = "error", metres_per_unit: float | None = None) -> PointCloud:
    """An archive with ``points`` (N, 3) and, if there, ``features`` (N, C), ``feature_names`` and ``labels`` (N,).

    Arrays of Python objects are refused: nothing is unpickled.
    """
    with reading(path, "NPZ"):
        _check_members(check_file(path))
        with np.load(path, allow_pickle=False) as archive:
            arrays: dict[str, Column] = {name: archive[name] for name in _ARRAYS if name in archive}
            names = [str(name) for name in archive["feature_names"]] if "feature_names" in archive else []
    if "points" not in arrays:
        raise damaged(path, "points", "the archive has no array of this name")
    _check_shapes(path, arrays)
    points, features = arrays["points"], arrays.get("features")
    width = 0 if features is None else features.shape[1]
    names = names if len(names) == width else [f"feature_{column}" for column in range(width)]
    table = side_by_side([] if features is None else list(features.T), len(points))
    axes = (points[:, 0], points[:, 1], points[:, 2])
    columns = Columns(axes, tuple(names), table, arrays.get("labels"))
    return point_cloud(path, columns, invalid=invalid, metres_per_unit=metres_per_unit)


def _check_shapes(path: Path, arrays: dict[str, Column]) -> None:
    rows = len(arrays["points"]) if arrays["points"].ndim else 0
    wanted = {"points": (rows, 3), "features": (rows, None), "labels": (rows,)}
    for name, array in arrays.items():
        shape = wanted[name]
        fits = array.ndim == len(shape) and all(
            b in (None, a) for a, b in zip(array.shape, shape, strict=True)
        )
        if not fits or array.dtype.kind not in ("iu" if name == "labels" else "fiu"):
            told = "x".join("C" if size is None else str(size) for size in shape)
            raise damaged(
                path,
                name,
                f"has shape {array.shape} and dtype {array.dtype}; expected numbers of shape {told}",
            )


def _check_members(path: Path) -> None:
    """Every array must be as large as its header says, before memory is taken for it."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read(file)
                needed = int(np.prod(shape, dtype=object)) * dtype.itemsize
                if needed + file.tell() != member.file_size and not dtype.hasobject:
                    raise damaged(
                        path,
                        member.filename,
                        f"header says {needed} bytes, the archive holds {member.file_size - file.tell()}",
                    )

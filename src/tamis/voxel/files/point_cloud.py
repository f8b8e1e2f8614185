"""What every reader returns, and the checks that every file must pass."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Invalid = Literal["error", "drop"]
Column = npt.NDArray[Any]

# Beyond 10 km float32 loses more than a millimetre: such coordinates (UTM, state planes) get an origin of their own.
_FAR_M = 10_000.0
_WORLD_M = 4e7


@dataclass(frozen=True)
class PointCloud:
    """Points read from a file.

    Attributes
    ----------
    points : Tensor, shape (N, 3), float32
        x, y, z in metres, relative to ``origin``.
    features : Tensor, shape (N, C), float32
        One column per name in ``feature_names``, values as they stand in the file.
    feature_names : tuple of str
    labels : Tensor, shape (N,), int64, or None
        As they stand in the file.
    origin : (float, float, float)
        Add it to get the file's coordinates; zero unless they lie more than 10 km from their own origin.
    """

    points: Tensor
    features: Tensor
    feature_names: tuple[str, ...]
    labels: Tensor | None = None
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __len__(self) -> int:
        return int(self.points.shape[0])


def check_file(path: Path) -> Path:
    """The path, if a file with content stands there."""
    if not path.exists():
        raise FileNotFoundError(f"read_points({str(path)!r}): there is no such file.")
    if not path.is_file():
        raise ValueError(f"read_points({str(path)!r}): is not a file.")
    if path.stat().st_size == 0:
        raise ValueError(f"read_points({str(path)!r}): the file is empty (0 bytes).")
    return path


def damaged(path: Path, field: str, what: str) -> ValueError:
    """The error for a file that is not what it claims to be."""
    return ValueError(f"read_points({str(path)!r}): {field}: {what}")


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turns whatever another library raises over a damaged file into a ValueError that names the file."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith("read_points("):
            raise
        reason = str(error).strip() or type(error).__name__
        raise damaged(path, f"{kind} data", f"damaged or not {kind}: {reason}") from error


def point_cloud(
    path: Path,
    axes: tuple[Column, Column, Column],
    features: Mapping[str, Column],
    labels: Column | None = None,
    *,
    invalid: Invalid = "error",
) -> PointCloud:
    """Check columns read from ``path`` and put them together.

    ``invalid`` says what to do with points that have a NaN or infinite coordinate or feature.
    """
    if invalid not in ("error", "drop"):
        raise ValueError(f'read_points(..., invalid={invalid!r}): expected "error" or "drop".')
    columns = dict(zip("xyz", axes, strict=True)) | dict(features)
    lengths = {name: len(column) for name, column in columns.items()}
    if labels is not None:
        lengths["labels"] = len(labels)
    if len(set(lengths.values())) > 1:
        raise damaged(path, ", ".join(lengths), f"columns of different lengths: {lengths}")
    if lengths["x"] == 0:
        raise damaged(path, "points", "the file holds no points")
    kept = _finite_rows(path, columns, invalid)
    xyz = np.stack([np.asarray(axis[kept], np.float64) for axis in axes], axis=1)
    for name, column in zip("xyz", xyz.T, strict=True):
        if np.ptp(column) > _WORLD_M:
            raise damaged(path, name, f"spans {np.ptp(column):.3g} m, which is no point cloud on this planet")
    origin = np.floor(xyz.min(0)) if np.abs(xyz).max() > _FAR_M else np.zeros(3)
    values = [torch.from_numpy(np.asarray(column[kept], np.float32)) for column in features.values()]
    return PointCloud(
        torch.from_numpy((xyz - origin).astype(np.float32)),
        torch.stack(values, 1) if values else torch.zeros(len(xyz), 0),
        tuple(features),
        None if labels is None else torch.from_numpy(np.asarray(labels[kept], np.int64)),
        (float(origin[0]), float(origin[1]), float(origin[2])),
    )


def _finite_rows(path: Path, columns: Mapping[str, Column], invalid: Invalid) -> npt.NDArray[np.bool_]:
    kept = np.ones(len(columns["x"]), bool)
    for name, column in columns.items():
        with np.errstate(
            over="ignore"
        ):  # beyond float32's range counts as infinite; coordinates have their own check
            bad = ~np.isfinite(np.asarray(column, np.float64 if name in "xyz" else np.float32))
        if invalid == "error" and bad.any():
            raise damaged(
                path,
                name,
                f'{int(bad.sum())} of {len(bad)} values are NaN or infinite. Give invalid="drop" to leave them out.',
            )
        kept &= ~bad
    if not kept.any():
        raise damaged(path, "points", "no point has finite values")
    return kept

"""What every reader returns, and the checks that every file must pass."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

logger = logging.getLogger(__name__)

Invalid = Literal["error", "drop"]
Column = npt.NDArray[Any]
Triple = tuple[float, float, float]

# Beyond 10 km float32 loses more than a millimetre: such coordinates (UTM, state planes) get an origin of their own.
_FAR_M = 10_000.0
_WORLD_M = 4e7
_LOST_SHARE = (
    1e-5  # of an axis' extent may go to float32's rounding; small units (degrees) lose more near zero already
)
_BLOCK = 65_536  # rows that stay in the cache while columns become rows
_LABEL_NAMES = ("label", "class", "classification", "scalar_label", "scalar_classification")


@dataclass(frozen=True)
class PointCloud:
    """Points read from a file.

    Attributes
    ----------
    points : Tensor, shape (N, 3), float32
        x, y, z in metres, relative to ``origin``.
    features : Tensor, shape (N, C), float32
        One column per name in ``feature_names``, values as they stand in the file; NaN and infinite ones are 0.
    feature_names : tuple of str
    labels : Tensor, shape (N,), int64, or None
        As they stand in the file; -1 where it has NaN instead of a label.
    origin : (float, float, float)
        Metres. Zero, unless float32 would lose digits: beyond 10 km, or where a float64 coordinate is large for its extent.
    metres_per_unit : (float, float, float)
        Of the file's x, y, z: ``(points + origin) / metres_per_unit`` are the file's coordinates.
    replaced : mapping of str to int
        Feature values that were NaN or infinite in the file, by name; only features that had some.
    """

    points: Tensor
    features: Tensor
    feature_names: tuple[str, ...]
    labels: Tensor | None = None
    origin: Triple = (0.0, 0.0, 0.0)
    metres_per_unit: Triple = (1.0, 1.0, 1.0)
    replaced: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.points.shape[0])


@dataclass(frozen=True)
class Columns:
    """The columns of a file, sorted by what they are.

    A coordinate is its column times ``scale`` plus ``offset``; ``table`` (N, C) holds the features as float32.
    """

    axes: tuple[Column, Column, Column]
    feature_names: tuple[str, ...]
    table: npt.NDArray[np.float32]
    labels: Column | None = None
    scale: Triple = (1.0, 1.0, 1.0)
    offset: Triple = (0.0, 0.0, 0.0)


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
    except (ImportError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic of Rust code (lazrs) is no Exception
        if isinstance(error, ValueError) and str(error).startswith("read_points("):
            raise
        reason = str(error).strip() or type(error).__name__
        raise damaged(path, f"{kind} data", f"damaged or not {kind}: {reason}") from error


def named_columns(path: Path, where: str, columns: Mapping[str, Column]) -> Columns:
    """Coordinates, labels and features by their names, in lower case or capitals.

    ``where`` is what the file's kind calls a column, for the error.
    """
    lower = {name.lower(): name for name in reversed(list(columns))}
    lower |= {name: name for name in columns}
    missing = [axis for axis in "xyz" if axis not in lower]
    if missing:
        raise damaged(path, f"{where} {missing[0]}", f"missing; the file has {', '.join(columns) or 'none'}")
    x, y, z = (lower[axis] for axis in "xyz")
    label = next((lower[name] for name in _LABEL_NAMES if name in lower), None)
    features = {name: column for name, column in columns.items() if name not in (x, y, z, label)}
    return Columns(
        (columns[x], columns[y], columns[z]),
        tuple(features),
        side_by_side(list(features.values()), len(columns[x])),
        None if label is None else columns[label],
    )


def point_cloud(
    path: Path,
    columns: Columns,
    *,
    invalid: Invalid = "error",
    metres_per_unit: float | Sequence[float] | None = None,
) -> PointCloud:
    """Check columns read from ``path`` and put them together.

    ``invalid`` says what to do with points that have a NaN or infinite coordinate; other columns never cost a point.
    """
    if invalid not in ("error", "drop"):
        raise ValueError(f'read_points(..., invalid={invalid!r}): expected "error" or "drop".')
    units = _units(metres_per_unit)
    _check_lengths(path, columns)
    kept = _finite_rows(path, columns.axes, invalid)
    axes = [
        _Axis(axis[kept], scale * unit, offset * unit)
        for axis, scale, offset, unit in zip(columns.axes, columns.scale, columns.offset, units, strict=True)
    ]
    for name, axis in zip("xyz", axes, strict=True):
        low, high = axis.bounds()
        if not high - low <= _WORLD_M:  # NaN as well
            raise damaged(path, name, f"spans {high - low:.3g} m, which is no point cloud on this planet")
    origin = _origin(axes)
    points = np.empty((len(axes[0].values), 3), np.float32)
    for place, (axis, start) in enumerate(zip(axes, origin, strict=True)):
        axis.write(points[:, place], start)
    table, replaced = _finite_features(path, columns.feature_names, columns.table[kept])
    return PointCloud(
        torch.from_numpy(points),
        torch.from_numpy(table),
        columns.feature_names,
        None if columns.labels is None else torch.from_numpy(_whole_labels(path, columns.labels[kept])),
        origin,
        units,
        replaced,
    )


@dataclass(frozen=True)
class _Axis:
    """A coordinate, in metres: ``values * scale + offset`` in float64, made in blocks, never as a whole."""

    values: Column
    scale: float
    offset: float

    def bounds(self) -> tuple[float, float]:
        ends = [float(end) * self.scale + self.offset for end in (self.values.min(), self.values.max())]
        return min(ends), max(ends)

    def is_float32(self) -> bool:
        return self.values.dtype in (np.float32, np.float16) and (self.scale, self.offset) == (1.0, 0.0)

    def write(self, target: npt.NDArray[np.float32], origin: float) -> None:
        """Metres from ``origin``, rounded to float32 at last."""
        for start in range(0, len(target), _BLOCK):
            block = slice(start, start + _BLOCK)
            target[block] = self.values[block].astype(np.float64) * self.scale + (self.offset - origin)


def _units(metres_per_unit: float | Sequence[float] | None) -> Triple:
    given = 1.0 if metres_per_unit is None else metres_per_unit
    x, y, z = (given,) * 3 if isinstance(given, int | float) else given
    if not all(math.isfinite(value) and value > 0 for value in (x, y, z)):
        raise ValueError(f"read_points(..., metres_per_unit={metres_per_unit}): expected a positive number.")
    return float(x), float(y), float(z)


def _check_lengths(path: Path, columns: Columns) -> None:
    lengths = {name: len(axis) for name, axis in zip("xyz", columns.axes, strict=True)}
    if columns.feature_names:
        lengths["features"] = len(columns.table)
    if columns.labels is not None:
        lengths["labels"] = len(columns.labels)
    if len(set(lengths.values())) > 1:
        raise damaged(path, ", ".join(lengths), f"columns of different lengths: {lengths}")
    if lengths["x"] == 0:
        raise damaged(path, "points", "the file holds no points")


def _finite_rows(
    path: Path, axes: tuple[Column, Column, Column], invalid: Invalid
) -> npt.NDArray[np.bool_] | slice:
    """Rows with three finite coordinates; ``slice(None)``, which copies nothing, where that is all of them."""
    bad = np.zeros(len(axes[0]), bool)
    for name, axis in zip("xyz", axes, strict=True):
        if axis.dtype.kind != "f":
            continue
        odd = ~np.isfinite(axis)
        if invalid == "error" and odd.any():
            raise damaged(
                path,
                name,
                f'{int(odd.sum())} of {len(odd)} values are NaN or infinite. Give invalid="drop" to leave them out.',
            )
        bad |= odd
    if bad.all():
        raise damaged(path, "points", "no point has finite values")
    return ~bad if bad.any() else slice(None)


def _origin(axes: Sequence[_Axis]) -> Triple:
    """A corner of the cloud where float32 would lose digits that the file has, else zero."""
    bounds = [axis.bounds() for axis in axes]
    farthest = [max(abs(low), abs(high)) for low, high in bounds]
    lossy = any(
        high > low
        and float(np.spacing(np.float32(most))) / 2 > _LOST_SHARE * (high - low)
        and not axis.is_float32()
        for axis, most, (low, high) in zip(axes, farthest, bounds, strict=True)
    )
    if max(farthest) <= _FAR_M and not lossy:
        return (0.0, 0.0, 0.0)
    x, y, z = (
        math.floor(low / step) * step
        for low, step in ((low, _origin_step(high - low)) for low, high in bounds)
    )
    return (x, y, z)


def _origin_step(span: float) -> float:
    """Whole metres, or a power of ten below the extent of smaller clouds."""
    return 10.0 ** math.floor(math.log10(span)) if 0 < span < 1 else 1.0


def side_by_side(columns: Sequence[Column], rows: int) -> npt.NDArray[np.float32]:
    """Columns as a table, shape (rows, C), float32; values beyond its range become infinite."""
    table = np.empty((rows, len(columns)), np.float32)
    with np.errstate(over="ignore"):
        for start in range(0, rows, _BLOCK):
            for place, column in enumerate(columns):
                table[start : start + _BLOCK, place] = column[start : start + _BLOCK]
    return table


def _finite_features(
    path: Path, names: tuple[str, ...], table: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], dict[str, int]]:
    """Features with 0 in place of NaN and infinity, and how many those were."""
    counts = np.zeros(len(names), np.int64)
    for start in range(0, len(table), _BLOCK):
        part = table[start : start + _BLOCK]
        odd = ~np.isfinite(part)
        if odd.any():
            counts += odd.sum(0)
            part[odd] = 0.0
    replaced = {name: int(count) for name, count in zip(names, counts, strict=True) if count}
    if replaced:
        told = ", ".join(f"{name} ({count} of {len(table)})" for name, count in replaced.items())
        logger.warning("read_points(%r): NaN or infinite values are 0 now: %s", str(path), told)
    return table, replaced


def _whole_labels(path: Path, labels: Column) -> npt.NDArray[np.int64]:
    """Labels as integers, -1 for NaN; anything else that is no whole number is an error, never a cast."""
    if labels.dtype.kind == "f":
        labels = np.where(np.isnan(labels), -1.0, labels)
        odd = (labels != np.floor(labels)) | (np.abs(labels) > 2.0**53)
    elif labels.dtype.kind in "biu":
        odd = labels > np.uint64(2**63 - 1) if labels.dtype == np.uint64 else np.zeros(1, bool)
    else:
        raise damaged(path, "labels", f"are no numbers but of dtype {labels.dtype}")
    if odd.any():
        raise damaged(
            path,
            "labels",
            f"{int(odd.sum())} of {len(labels)} are no whole numbers of 64 bits, the first is {labels[odd][0]}",
        )
    return labels.astype(np.int64)

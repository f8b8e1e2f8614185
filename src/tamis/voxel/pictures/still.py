"""A perspective picture of labelled points as PNG: points painted far to near onto a pixel grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tamis.storage import written_beside
from tamis.voxel.pictures.colours import UNLABELLED, label_colours

_BACKGROUND = (16, 18, 24)
_WIDTH, _HEIGHT = 1600, 900
_FIELD_OF_VIEW = 0.9  # half the picture's width over the distance to it
_NEAREST_M = 0.5
_SPLAT_M = 0.11  # points are painted as squares of about this size, at least one pixel

_MOST_POINTS = 2_000_000  # more than the picture has pixels

FloatArray = npt.NDArray[np.float64]


def save_png(
    path: str | Path, points: Tensor, labels: Tensor, names: Sequence[str], *, title: str = ""
) -> None:
    """Paint a scan seen from behind and above the sensor, with a legend of the classes that occur.

    Of more than 2,000,000 points an even share is painted; the legend counts all.

    Parameters
    ----------
    points : Tensor, shape (N, 3)
    labels : Tensor, shape (N,)
        Index into ``names``; -1 is painted grey.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import Patch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('save_png needs matplotlib: pip install "tamis[voxel]"') from error
    step = -(-len(points) // _MOST_POINTS) or 1
    classes = labels.numpy()
    colours = np.array([*label_colours(names), UNLABELLED], np.uint8)  # -1 reads the last
    picture = paint(points[::step].double().numpy(), colours[classes[::step]])
    figure = Figure(figsize=(16, 9), dpi=100, facecolor=_fraction(_BACKGROUND))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(picture, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    total = max(1, len(classes))
    shares = [(label, np.count_nonzero(classes == label) / total) for label in (*range(len(names)), -1)]
    patches = [
        Patch(
            color=_fraction(colours[label]),
            label=f"{names[label] if label >= 0 else 'unlabelled'} {share:.1%}",
        )
        for label, share in shares
        if share > 0
    ]
    axes.legend(
        handles=patches, loc="lower left", facecolor="black", labelcolor="white", fontsize=13, framealpha=0.6
    )
    axes.text(0.99, 0.97, title, transform=axes.transAxes, ha="right", va="top", color="white", fontsize=14)
    with written_beside(path) as part:
        figure.savefig(part, format="png")


def _fraction(colour: Sequence[int]) -> tuple[float, float, float]:
    red, green, blue = (float(value) / 255 for value in colour)
    return red, green, blue


def paint(points: FloatArray, colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """An RGB picture, shape (900, 1600, 3); nearer points cover farther ones."""
    picture = np.full((_HEIGHT, _WIDTH, 3), _BACKGROUND, np.uint8)
    if len(points) == 0:
        return picture
    u, v, depth = _project(points)
    seen = depth > _NEAREST_M
    order = np.flatnonzero(seen)[np.argsort(-depth[seen])]
    u, v, depth = u[order], v[order], depth[order]
    shade = np.clip(1.2 - depth / (4 * np.median(depth)), 0.6, 1.0)[:, None]
    tones = (colours[order] * shade).astype(np.uint8)
    size = np.clip(_SPLAT_M * _WIDTH / (2 * _FIELD_OF_VIEW) / depth, 1, 6).astype(int)
    for dx in range(
        6
    ):  # far to near within each step; a splat's later pixels may cover a neighbour's first: invisible
        for dy in range(6):
            part = size > max(dx, dy)
            column, row = u[part] + dx, v[part] + dy
            inside = (column >= 0) & (column < _WIDTH) & (row >= 0) & (row < _HEIGHT)
            picture[row[inside], column[inside]] = tones[part][inside]
    return picture


def _project(points: FloatArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray]:
    """Pixels and depth from an eye behind and above the middle of the cloud, looking at it."""
    middle = np.median(points, axis=0)
    reach = max(float(np.quantile(np.linalg.norm(points[:, :2] - middle[:2], axis=1), 0.8)), 1.0)
    eye = middle + reach * np.array([-1.1, -0.45, 0.85])
    forward = middle - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    offset = points - eye
    depth = offset @ forward
    safe = np.where(depth > _NEAREST_M, depth, 1.0)
    focal = _WIDTH / 2 / _FIELD_OF_VIEW
    u = np.clip(_WIDTH / 2 + focal * (offset @ right) / safe, -99, 9999).astype(np.int64)
    v = np.clip(_HEIGHT / 2 - focal * (offset @ up) / safe, -99, 9999).astype(np.int64)
    return u, v, depth

"""Indoor rooms sampled as densely as the vertices of a scanned mesh."""

from collections.abc import Iterator
from math import cos, pi, sin
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from tamis.voxel.scenes.scene import Scene
from tamis.voxel.scenes.shapes import FloatArray

RoomSize = Literal["small", "medium", "large", "hall"]
ROOM_LABELS = ("floor", "wall", "furniture")
_FLOOR, _WALL, _FURNITURE = range(3)
_SIZES_M = {
    "small": (4.5, 4.0, 2.6),
    "medium": (5.5, 4.6, 2.6),
    "large": (8.0, 6.0, 2.8),
    "hall": (20.0, 15.0, 4.0),
}
_HOLE_RADIUS_M = 0.35
_WARP_M = 0.006
_NOISE_M = 0.003

Patch = tuple[FloatArray, FloatArray, FloatArray, int]  # corner, first edge, second edge, label


def room(seed: int = 0, size: RoomSize = "small", *, spacing_m: float = 0.019) -> Scene:
    """A furnished room: floor, walls and 10 to 20 boxes at random turns, with holes where the scan saw nothing.

    Surfaces are warped by waves of 6 mm and carry 3 mm of noise.

    Parameters
    ----------
    seed : int
        Non-negative.
    size : {"small", "medium", "large", "hall"}
        4.5 x 4, 5.5 x 4.6, 8 x 6 or 20 x 15 metres.
    spacing_m : float
        Distance of neighbouring samples; 0.019 is the density of ScanNet's vertices, 0.006 saturates 2 cm voxels.

    Returns
    -------
    Scene
        Origin in a corner on the floor; no features; labels as in ``ROOM_LABELS``.

    Raises
    ------
    ValueError
        If the size is unknown, the seed negative or the spacing not positive.
    """
    if size not in _SIZES_M or seed < 0 or not spacing_m > 0:
        raise ValueError(
            f"room(seed={seed}, size={size!r}, spacing_m={spacing_m}): needs a non-negative seed, a positive "
            f"spacing and a size among {', '.join(_SIZES_M)}."
        )
    rng = np.random.default_rng([seed, len(size)])
    patches = [*_shell(_SIZES_M[size]), *_furniture(_SIZES_M[size], rng)]
    sampled = [_sample(patch, spacing_m, rng) for patch in patches]
    points = np.concatenate([points for points, _ in sampled])
    labels = np.concatenate([np.full(len(points), label, np.int64) for points, label in sampled])
    kept = ~_in_holes(points, rng)
    points = _disturb(points[kept], rng)
    return Scene(
        torch.from_numpy(points.astype(np.float32)),
        torch.zeros(len(points), 0),
        torch.from_numpy(labels[kept]),
        ROOM_LABELS,
        (),
    )


def _shell(size: tuple[float, float, float]) -> Iterator[Patch]:
    length, width, height = size
    x, y, z = np.diag([length, width, height])
    origin = np.zeros(3)
    yield origin, x, y, _FLOOR
    for corner, edge in ((origin, x), (origin, y), (y, x), (x, y)):
        yield corner, edge, z, _WALL


def _furniture(size: tuple[float, float, float], rng: np.random.Generator) -> Iterator[Patch]:
    """Boxes without bottoms, more of them in larger rooms."""
    crowd = max(1.0, size[0] * size[1] / 30.0)
    for _ in range(int(rng.integers(10, 21) * crowd)):
        a, b, z = rng.uniform(0.3, 1.6), rng.uniform(0.3, 0.8), rng.uniform(0.35, 1.5)
        turn = rng.choice([0.0, pi / 2]) + rng.normal(0, 0.3)
        ex, ey = a * np.array([cos(turn), sin(turn), 0]), b * np.array([-sin(turn), cos(turn), 0])
        ez = np.array([0, 0, z])
        middle = np.append(np.array(size[:2]) * rng.uniform(0.12, 0.88, 2), 0.0)
        corner = middle - (ex + ey) / 2
        yield corner + ez, ex, ey, _FURNITURE
        for start, edge in ((corner, ex), (corner, ey), (corner + ey, ex), (corner + ex, ey)):
            yield start, edge, ez, _FURNITURE


def _sample(patch: Patch, spacing_m: float, rng: np.random.Generator) -> tuple[FloatArray, int]:
    """Points uniform over the parallelogram, one per ``spacing_m`` squared."""
    corner, first, second, label = patch
    count = rng.poisson(float(np.linalg.norm(np.cross(first, second))) / spacing_m**2)
    along = rng.random((2, count, 1))
    return corner + along[0] * first + along[1] * second, label


def _in_holes(points: FloatArray, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Whole blobs that the scanner never saw: 15 to 40 % of the surface."""
    order = np.argsort(points[:, 0])
    ranked = points[order]
    lost, target = np.zeros(len(points), bool), rng.uniform(0.15, 0.4) * len(points)
    count = 0
    while count < target:
        centre = ranked[rng.integers(len(points))]
        first, last = np.searchsorted(ranked[:, 0], centre[0] + np.array([-1, 1]) * _HOLE_RADIUS_M)
        blob = np.square(ranked[first:last] - centre).sum(1) < _HOLE_RADIUS_M**2
        count += int(np.count_nonzero(blob & ~lost[first:last]))
        lost[first:last] |= blob
    scattered = np.empty_like(lost)
    scattered[order] = lost
    return scattered


def _disturb(points: FloatArray, rng: np.random.Generator) -> FloatArray:
    waves, phases = rng.uniform(1.0, 4.0, (3, 3)), rng.uniform(0, 2 * pi, 3)
    warp = _WARP_M * np.sin(points @ waves + phases)
    return points + warp + _NOISE_M * rng.standard_normal(points.shape)

"""Scenes on an integer grid: objects, ellipsoid surfaces, random fill and hostile shapes.

Points are the centres of unit voxels, so ``voxelize(points, voxel_size_m=1)`` gives back exactly these voxels.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from tamis.voxel.scenes.scene import Scene

AdversarialName = Literal[
    "field_edges", "pole", "plane", "block", "diagonal", "checkerboard", "single", "empty"
]
ADVERSARIAL_NAMES: tuple[AdversarialName, ...] = (
    "field_edges",
    "pole",
    "plane",
    "block",
    "diagonal",
    "checkerboard",
    "single",
    "empty",
)
IntArray = npt.NDArray[np.int64]


def ellipsoid(
    seed: int = 0, half_axes: tuple[float, float, float] = (96.0, 67.0, 53.0), *, kept: float = 0.975
) -> Scene:
    """The voxels that the surface of an ellipsoid passes through, a few of them missing.

    The default is the surface used to measure convolution layers: about 92,500 voxels inside 256 x 256 x 256,
    14 neighbours each (kernel size 3), column densities .65, .50, .40 at L1 distance 1, 2, 3.

    Raises
    ------
    ValueError
        If a half axis is not positive or ``kept`` is outside (0, 1].
    """
    if min(half_axes) <= 0 or not 0 < kept <= 1:
        raise ValueError(
            f"ellipsoid(half_axes={half_axes}, kept={kept}): needs positive axes and 0 < kept <= 1."
        )
    reach = [int(np.ceil(a)) + 1 for a in half_axes]
    squares = [((np.arange(-r, r + 1) + 0.25) / a) ** 2 for r, a in zip(reach, half_axes, strict=True)]
    inside = squares[0][:, None, None] + squares[1][:, None] + squares[2] < 1
    corners = [
        inside[i:, j:, k:][: 2 * reach[0], : 2 * reach[1], : 2 * reach[2]] for i, j, k in np.ndindex(2, 2, 2)
    ]
    coords = np.argwhere(np.logical_or.reduce(corners) & ~np.logical_and.reduce(corners))
    return _scene(coords[np.random.default_rng(seed).random(len(coords)) < kept])


def uniform_random(seed: int = 0, voxels: int = 100_000, extent: int = 201) -> Scene:
    """Distinct voxels drawn uniformly from an ``extent``³ cube: no surface, no preferred neighbour.

    Raises
    ------
    ValueError
        If the cube has fewer cells than ``voxels``.
    """
    if not 0 <= voxels <= extent**3:
        raise ValueError(f"uniform_random(voxels={voxels}, extent={extent}): the cube has {extent**3} cells.")
    cells = np.random.default_rng(seed).choice(extent**3, size=voxels, replace=False)
    return _scene(np.stack(np.unravel_index(cells, (extent,) * 3), axis=1))


def solid_object(seed: int = 0, resolution: int = 128) -> Scene:
    """A shell like that of a small household object: two to five overlapping ellipsoids and boxes.

    Parameters
    ----------
    resolution : int
        Side of the cube that holds it, 16 to 1024; 64 to 128 give roughly 2,000 to 20,000 voxels.

    Raises
    ------
    ValueError
        If the resolution is outside that range.
    """
    if not 16 <= resolution <= 1024:
        raise ValueError(f"solid_object(resolution={resolution}): needs a resolution from 16 to 1024.")
    rng = np.random.default_rng(seed)
    axis = (np.arange(resolution + 1) - resolution / 2) / (resolution / 2)
    inside = np.zeros((resolution + 1,) * 3, bool)
    for part in range(rng.integers(2, 6)):
        centre = rng.uniform(-0.35, 0.35, 3) * (part > 0)
        radii = rng.uniform(0.12, 0.5, 3)
        u, v, w = (np.abs(axis - c) / r for c, r in zip(centre, radii, strict=True))
        power = rng.choice([2.0, 8.0])  # an ellipsoid, or a box with rounded edges
        inside |= u[:, None, None] ** power + v[:, None] ** power + w**power < 1
    corners = [inside[i:, j:, k:][:resolution, :resolution, :resolution] for i, j, k in np.ndindex(2, 2, 2)]
    return _scene(np.argwhere(np.logical_or.reduce(corners) & ~np.logical_and.reduce(corners)))


def adversarial(name: AdversarialName) -> Scene:
    """Small scenes that break careless engines.

    ``field_edges``: columns that use both ends of an 8-bit z field, where packed keys without guard bits see
    false neighbours. ``pole``: one column. ``plane``: a full plane. ``block``: 32³ full voxels.
    ``diagonal``: every neighbour at L1 distance 3. ``checkerboard``: no face neighbours. ``single``, ``empty``.

    Raises
    ------
    ValueError
        If there is no scene of that name.
    """
    if name not in ADVERSARIAL_NAMES:
        raise ValueError(f"adversarial({name!r}): no such scene; there are {', '.join(ADVERSARIAL_NAMES)}.")
    return _scene(_hostile(name))


def _hostile(name: AdversarialName) -> IntArray:
    steps = np.arange(256)
    match name:
        case "field_edges":
            rows, heights = np.indices((24, 24)).reshape(2, -1), np.array([0, 1, 2, 3, 252, 253, 254, 255])
            return np.concatenate([np.stack([*rows, np.full(rows.shape[1], z)], axis=1) for z in heights])
        case "pole":
            return np.stack([0 * steps - 7, 0 * steps + 3, steps - 128], axis=1)
        case "plane":
            return np.stack([*np.indices((128, 128)).reshape(2, -1), np.zeros(128 * 128, np.int64)], axis=1)
        case "block":
            return np.indices((32, 32, 32)).reshape(3, -1).T
        case "diagonal":
            return np.stack([steps, steps, steps], axis=1) - 128
        case "checkerboard":
            cells: IntArray = np.indices((32, 32, 32)).reshape(3, -1).T
            even: IntArray = cells[cells.sum(1) % 2 == 0]
            return even
        case "single":
            return np.array([[-1, 0, 5]])
        case "empty":
            return np.zeros((0, 3), np.int64)


def _scene(coords: IntArray) -> Scene:
    points = torch.from_numpy(coords.astype(np.float32) + 0.5)
    return Scene(points, torch.zeros(len(coords), 0), torch.full((len(coords),), -1), (), ())

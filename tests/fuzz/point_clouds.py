"""Point clouds in files, and coordinates."""

import random
from functools import partial
from pathlib import Path

import torch

from tamis import voxel
from tests.voxel.files import conftest as files

from .judge import Call, Target
from .matrices import hostile_tensor
from .mutation import mutated


def cloud_file(rng: random.Random, folder: Path) -> Call:
    name, make = rng.choice(sorted(files.FILES.items()))
    path = folder / (name if rng.random() < 0.9 else rng.choice(sorted(files.FILES)))
    path.write_bytes(mutated(rng, make()))
    return partial(read, path, rng.choice(("error", "drop")))


def read(path: Path, invalid: str) -> None:
    cloud = voxel.read_points(path, invalid=invalid)
    assert cloud.points.shape == (len(cloud), 3)
    assert cloud.features.shape == (len(cloud), len(cloud.feature_names))
    assert cloud.points.isfinite().all()
    assert cloud.labels is None or cloud.labels.shape == (len(cloud),)


def coordinates(rng: random.Random, folder: Path) -> Call:
    """Kernel maps and whole layers over coordinates that may be anything."""
    good = torch.nn.functional.pad(torch.unique(torch.randint(0, 6, (60, 3)), dim=0), (1, 0)).int()
    coords, feats = hostile_tensor(rng, good), hostile_tensor(rng, torch.randn(len(good), 4))
    size = rng.choice((1, 2, 3, 5, (1, 3, 3), 0, -1, (3, 3), 40, 2.5, "3"))
    if rng.random() < 0.5:
        return partial(voxel.kernel_map, coords, size, rng.choice((1, 1, 2, 3, 0, (2, 1, 1))))

    def layer() -> None:
        x = voxel.VoxelTensor(coords, feats)
        assert voxel.SubmanifoldConv3d(4, 2, size)(x).feats.shape == (len(good), 2)

    return layer


def points(rng: random.Random, folder: Path) -> Call:
    cloud = torch.rand(50, 3) * rng.choice((1, 100, 1e6, 1e12, float("inf"), float("nan")))
    feats = rng.choice((None, hostile_tensor(rng, torch.rand(50, 2))))
    size_m = rng.choice((0.1, 0.1, 0.1, 0, -1, 1e-9, 1e9, float("nan"), (0.1, 0.2, 0.1), "0.1", None))
    batch = rng.choice((None, None, hostile_tensor(rng, torch.arange(50) // 25)))
    return partial(voxelized, hostile_tensor(rng, cloud), size_m, feats, batch)


def voxelized(cloud: object, size_m: object, feats: object, batch: object) -> None:
    x = voxel.voxelize(cloud, size_m, feats, batch)
    assert len(x.feats) == len(x.coords) > 0


BOTH = (ValueError, TypeError)
TARGETS = (
    Target("cloud_file", cloud_file, (ValueError, OSError)),
    Target("coordinates", coordinates, (*BOTH, NotImplementedError)),
    Target("points", points, BOTH),
)

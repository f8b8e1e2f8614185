"""Kernel maps on which every kernel of sparse convolution is compared with the reference: the odd ones, and scanned surfaces."""

from collections.abc import Callable

import torch
from torch import Tensor

from tamis import voxel
from tamis.ops.kernel_map import KernelMap


def random(points: int, size: int, *, batch: int = 2, seed: int = 0, low: int = 0) -> Tensor:
    """Distinct coordinates (batch, x, y, z) in ascending order."""
    generator = torch.Generator().manual_seed(seed + points)
    coords = torch.randint(low, low + size, (points, 4), generator=generator)
    coords[:, 0] = torch.randint(0, batch, (points,), generator=generator)
    return coords.unique(dim=0).int()


def sheet(size: int) -> Tensor:
    x, y = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.stack([torch.zeros_like(x), x, y, (x + y) // 3], -1).reshape(-1, 4).int()


COORDS: dict[str, Callable[[], Tensor]] = {
    "no voxels": lambda: torch.empty(0, 4, dtype=torch.int32),
    "one voxel": lambda: torch.tensor([[1, -5, 7, 3]], dtype=torch.int32),
    "full cube": lambda: torch.cartesian_prod(torch.arange(1), *[torch.arange(7)] * 3).int(),
    "scattered": lambda: random(300, 40, low=-20),
    "far apart": lambda: random(60, 2**20, low=-(2**19)),  # int64 keys
    "sheet": lambda: sheet(30),
    "dense, two scenes": lambda: random(2500, 14),
}
# kernel size, stride
KERNEL_SHAPES = ((3, 1), (1, 1), (2, 2), (3, 2), (5, 1), ((3, 1, 2), (1, 2, 1)))


def kernel_map(name: str, kernel_size: int | tuple[int, ...], stride: int | tuple[int, ...]) -> KernelMap:
    return voxel.kernel_map(COORDS[name](), kernel_size, stride)

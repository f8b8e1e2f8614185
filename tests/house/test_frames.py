"""How many Python calls into tamis stand between a user and a kernel, once everything is warm."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import torch

import tamis
from tamis import voxel
from tamis.nn import SparseLinear

SOURCE = str(Path(tamis.__file__).parent)


def frames(call: Callable[[], object]) -> int:
    """Python calls into files of tamis during a call, after two to warm up."""
    call(), call()
    counted = 0

    def watch(frame: FrameType, event: str, argument: object) -> None:
        nonlocal counted
        counted += event == "call" and frame.f_code.co_filename.startswith(SOURCE)

    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(None)
    return counted


@torch.no_grad()
def frames_of_network(*layers: torch.nn.Module) -> int:
    network = voxel.Sequential(*layers).eval()
    points = torch.rand(300, 3, generator=torch.Generator().manual_seed(0))
    x = voxel.voxelize(points, 0.1, torch.rand(300, 8))
    plan = voxel.plan(network, x)
    return frames(lambda: network(x, plan=plan))


def test_planned_convolution() -> None:
    """Within a network: convolution, batch norm and ReLU in one pass; and a convolution alone."""
    blocks = [voxel.ConvBlock(voxel.SubmanifoldConv3d(8, 8)) for _ in range(4)]
    convolutions = [voxel.SubmanifoldConv3d(8, 8, bias=True) for _ in range(4)]
    for layers, most in ((blocks, 14), (convolutions, 12)):
        assert frames_of_network(*layers) - frames_of_network(*layers[:3]) <= most


@torch.no_grad()
def test_sparse_linear_and_planned_products() -> None:
    dense = torch.nn.Linear(64, 32)
    layer, x = SparseLinear.from_dense(dense), torch.randn(8, 64)
    assert frames(lambda: layer(x)) <= 12
    a = tamis.CSR.from_dense(dense.weight)
    plan = tamis.plan_spmm(a, 8)
    assert frames(lambda: tamis.linear(x, a, plan=plan)) <= 15
    assert frames(lambda: tamis.spmm(a, x.T, plan=plan)) <= 15

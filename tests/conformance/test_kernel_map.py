"""Every search of neighbours × ISA × cloud × kernel against a dictionary."""

import pytest
import torch

from tamis import voxel
from tamis.kernels.reference import brute_force
from tamis.ops.kernel_map import KERNELS
from tests.conformance import clouds, instruction_sets

CASES = [(isa, k.name) for k in KERNELS for isa in instruction_sets.of(k.name)]


@pytest.mark.parametrize(("isa", "kernel"), CASES, indirect=["isa"])
@pytest.mark.parametrize("name", clouds.COORDS)
@pytest.mark.parametrize("rule", ["minkowski", "spconv"])
def test_neighbours(isa: str, kernel: str, name: str, rule: str) -> None:
    coords = clouds.COORDS[name]()
    for kernel_size, stride in clouds.KERNEL_SHAPES:
        for dilation in (1, 2):
            found = voxel.kernel_map(coords, kernel_size, stride, dilation, rule, kernel=kernel)
            assert torch.equal(found.out_in, brute_force(coords, found.out_coords, found.offsets))

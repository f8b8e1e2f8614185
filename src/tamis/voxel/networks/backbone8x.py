"""The 3-D backbones of OpenPCDet's detectors, with spconv's rule for outputs.

The axes here are x, y, z, so kernels and paddings read backwards against their (z, y, x) notation.
"""

from __future__ import annotations

from torch import nn

from tamis.formats.packed_coords import Triple
from tamis.voxel.blocks import ConvBlock, ResidualBlock, VoxelNetwork
from tamis.voxel.modules import SparseConv3d, SubmanifoldConv3d
from tamis.voxel.tensor import VoxelTensor


class VoxelBackBone8x(VoxelNetwork):
    """16, 32, 64, 64 channels at strides 1, 2, 4, 8, then z halved once more to 128 channels.

    Parameters
    ----------
    in_channels : int
    spatial_shape : three ints, optional
        Cells of the grid along x, y, z, as the detector's grid size, with one more along z (their convention).
        Outputs end at the border; without it the grid has none.
    """

    widths = (16, 32, 64, 64)
    residual = False

    def __init__(self, in_channels: int, spatial_shape: Triple | None = None) -> None:
        super().__init__()
        self.in_channels, self.spatial_shape = in_channels, spatial_shape
        first, *coarser = self.widths
        self.input = ConvBlock(SubmanifoldConv3d(in_channels, first, 3))
        self.stages = nn.ModuleList([self._submanifold(first, first, 1)])
        paddings: tuple[Triple, ...] = ((1, 1, 1), (1, 1, 1), (1, 1, 0))
        for width, padding in zip(coarser, paddings, strict=True):
            halve = SparseConv3d(first, width, 3, 2, padding=padding, rule="spconv")
            self.stages.append(nn.Sequential(ConvBlock(halve), *self._submanifold(width, width, 2)))
            first = width
        flatten = SparseConv3d(first, 128, (1, 1, 3), (1, 1, 2), padding=0, rule="spconv")
        self.output = ConvBlock(flatten)
        self.feature_channels = 128
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eps, module.momentum = 1e-3, 0.01

    def body(self, x: VoxelTensor) -> dict[str, VoxelTensor]:
        """Features of every stage, ``stride1`` .. ``stride8``, and ``encoded``."""
        x = self.input(x)
        found = {}
        for stride, stage in zip((1, 2, 4, 8), self.stages, strict=True):
            found[f"stride{stride}"] = x = stage(x)
        return {**found, "encoded": self.output(x)}

    def _submanifold(self, c_in: int, c_out: int, count: int) -> nn.Sequential:
        if self.residual:
            return nn.Sequential(*(ResidualBlock(c_in, c_out, 3, bias=True) for _ in range(2)))
        return nn.Sequential(*(ConvBlock(SubmanifoldConv3d(c_in, c_out, 3)) for _ in range(count)))


class VoxelResBackBone8x(VoxelBackBone8x):
    """Two residual blocks per stage, 16, 32, 64, 128 channels."""

    widths = (16, 32, 64, 128)
    residual = True

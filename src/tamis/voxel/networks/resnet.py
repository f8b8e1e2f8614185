"""Residual encoders of Spira's evaluation (arXiv:2511.20834).

A stage is (blocks, channels, kernel, stride): a convolution that carries the stride, then blocks - 1 residual blocks.
"""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from tamis.voxel.blocks import ConvBlock, ResidualBlock, VoxelNetwork
from tamis.voxel.modules import Size, SparseConv3d, triple
from tamis.voxel.tensor import VoxelTensor

Stage = tuple[int, int, Size, Size]


class SparseResNet(VoxelNetwork):
    """A chain of stages; returns the features of the last one.

    Parameters
    ----------
    in_channels : int
    """

    stages: ClassVar[tuple[Stage, ...]] = ()

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.layers = nn.Sequential()
        channels = in_channels
        for blocks, width, kernel, stride in self.stages:
            self.layers.append(ConvBlock(SparseConv3d(channels, width, kernel, stride)))
            self.layers.extend(ResidualBlock(width, width, triple(kernel)) for _ in range(blocks - 1))
            channels = width
        self.feature_channels = channels

    def body(self, x: VoxelTensor) -> VoxelTensor:
        """Features of the coarsest voxels."""
        result: VoxelTensor = self.layers(x)
        return result


class SparseResNet21D(SparseResNet):
    """Kernel 3, strides 1, 2, 2, 2, and a last one that halves z only."""

    stages = ((3, 16, 3, 1), (3, 32, 3, 2), (3, 64, 3, 2), (3, 128, 3, 2), (1, 128, (1, 1, 3), (1, 1, 2)))


class SparseResNetLarge(SparseResNet):
    """Kernel 5 everywhere, strides 1, 2, 2, 2."""

    stages = ((3, 16, 5, 1), (3, 32, 5, 2), (3, 64, 5, 2), (3, 128, 5, 2))

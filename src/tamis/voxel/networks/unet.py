"""U-shaped residual networks for segmentation: four levels down, four up, skips between.

References
----------
[1] Choy, Gwak, Savarese. 4D Spatio-Temporal ConvNets: Minkowski Convolutional Neural Networks. CVPR 2019.
[2] Spira. arXiv:2511.20834 (SparseResUNet42).
"""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from tamis.voxel.blocks import ConvBlock, ResidualBlock, VoxelNetwork
from tamis.voxel.modules import SparseConv3d, SparseConvTranspose3d, SubmanifoldConv3d
from tamis.voxel.tensor import VoxelTensor, concat


class ResUNet(VoxelNetwork):
    """Stem, four stages of (halve, residual blocks), four of (double, concat the skip, residual blocks), head.

    Parameters
    ----------
    in_channels : int
    out_channels : int, optional
        Classes of the 1x1x1 head with bias; without it the network returns the last stage's features.
    width : float
        Factor on all channel counts, rounded to multiples of 8.
    """

    planes: ClassVar[tuple[int, ...]] = (32, 64, 128, 256, 256, 128, 96, 96)
    blocks: ClassVar[tuple[int, ...]] = (2, 2, 2, 2, 2, 2, 2, 2)
    stem_kernels: ClassVar[tuple[int, ...]] = (5,)
    stem_channels: ClassVar[int] = 32

    def __init__(self, in_channels: int, out_channels: int | None = None, *, width: float = 1.0) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        stem, *planes = (max(8, round(count * width / 8) * 8) for count in (self.stem_channels, *self.planes))
        self.stem = nn.Sequential()
        channels = in_channels
        for kernel in self.stem_kernels:
            self.stem.append(ConvBlock(SubmanifoldConv3d(channels, stem, kernel)))
            channels = stem
        skips = [stem, *planes[:3]]
        self.downsample, self.encode = nn.ModuleList(), nn.ModuleList()
        for plane, count in zip(planes[:4], self.blocks[:4], strict=True):
            self.downsample.append(ConvBlock(SparseConv3d(channels, channels, 2, 2)))
            self.encode.append(_stage(channels, plane, count))
            channels = plane
        self.upsample, self.decode = nn.ModuleList(), nn.ModuleList()
        for plane, count, skip in zip(planes[4:], self.blocks[4:], reversed(skips), strict=True):
            self.upsample.append(ConvBlock(SparseConvTranspose3d(channels, plane, 2, 2)))
            self.decode.append(_stage(plane + skip, plane, count))
            channels = plane
        self.feature_channels = channels
        self.head = None if out_channels is None else SubmanifoldConv3d(channels, out_channels, 1, bias=True)

    def body(self, x: VoxelTensor) -> VoxelTensor:
        """Features or class scores of the input's voxels."""
        x = self.stem(x)
        skips = []
        for halve, stage in zip(self.downsample, self.encode, strict=True):
            skips.append(x)
            x = stage(halve(x))
        for double, stage in zip(self.upsample, self.decode, strict=True):
            x = double(x)  # one step a line: what a step has read is freed before the next one
            x = concat(x, skips.pop())
            x = stage(x)
        return x if self.head is None else self.head(x)


class MinkUNet14(ResUNet):
    """One residual block per stage."""

    blocks = (1, 1, 1, 1, 1, 1, 1, 1)


class MinkUNet18(ResUNet):
    """Two residual blocks per stage."""


class MinkUNet34(ResUNet):
    """2, 3, 4, 6 residual blocks down, two per stage up."""

    blocks = (2, 3, 4, 6, 2, 2, 2, 2)


class MinkUNet42(ResUNet):
    """42 convolutions of kernel 3 or 2: a stem of two, two residual blocks per stage."""

    stem_kernels = (3, 3)


class SparseResUNet42(MinkUNet42):
    """MinkUNet42 as a backbone, without a head by default."""


def _stage(in_channels: int, out_channels: int, blocks: int) -> nn.Sequential:
    first = ResidualBlock(in_channels, out_channels)
    return nn.Sequential(first, *(ResidualBlock(out_channels, out_channels) for _ in range(blocks - 1)))

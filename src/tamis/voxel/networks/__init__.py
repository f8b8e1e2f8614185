"""Published networks over voxels, by the layer tables of their papers."""

from tamis.voxel.networks.backbone8x import VoxelBackBone8x, VoxelResBackBone8x
from tamis.voxel.networks.resnet import SparseResNet21D, SparseResNetLarge
from tamis.voxel.networks.unet import MinkUNet14, MinkUNet18, MinkUNet34, MinkUNet42, SparseResUNet42

__all__ = [
    "MinkUNet14",
    "MinkUNet18",
    "MinkUNet34",
    "MinkUNet42",
    "SparseResNet21D",
    "SparseResNetLarge",
    "SparseResUNet42",
    "VoxelBackBone8x",
    "VoxelResBackBone8x",
]

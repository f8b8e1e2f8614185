"""Point clouds: voxels, kernel maps of a whole network at once, sparse convolution, networks, scenes."""

from tamis.formats.packed_coords import KeyLayout, choose_layout
from tamis.ops.kernel_map import KernelMap
from tamis.voxel import converters, networks, scenes
from tamis.voxel.blocks import ConvBlock, ResidualBlock, Sequential, VoxelNetwork
from tamis.voxel.cloud_profile import CloudProfile, profile
from tamis.voxel.devoxelization import devoxelize
from tamis.voxel.files import PointCloud, read_points
from tamis.voxel.modules import (
    BatchNorm,
    GlobalPool,
    InverseConv3d,
    Linear,
    Pool3d,
    ReLU,
    SparseConv3d,
    SparseConvTranspose3d,
    SubmanifoldConv3d,
)
from tamis.voxel.neighbours import kernel_map
from tamis.voxel.planning import Plan, plan
from tamis.voxel.required_maps import RequiredMaps, required_maps
from tamis.voxel.sorted_keys import SortedKeys
from tamis.voxel.tensor import VoxelTensor, concat
from tamis.voxel.voxelization import merge_duplicates, voxelize

__all__ = [
    "BatchNorm",
    "CloudProfile",
    "ConvBlock",
    "GlobalPool",
    "InverseConv3d",
    "KernelMap",
    "KeyLayout",
    "Linear",
    "Plan",
    "PointCloud",
    "Pool3d",
    "ReLU",
    "RequiredMaps",
    "ResidualBlock",
    "Sequential",
    "SortedKeys",
    "SparseConv3d",
    "SparseConvTranspose3d",
    "SubmanifoldConv3d",
    "VoxelNetwork",
    "VoxelTensor",
    "choose_layout",
    "concat",
    "converters",
    "devoxelize",
    "kernel_map",
    "merge_duplicates",
    "networks",
    "plan",
    "profile",
    "read_points",
    "required_maps",
    "scenes",
    "voxelize",
]

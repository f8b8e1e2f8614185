"""The voxel suite."""

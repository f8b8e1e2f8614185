"""Pooling over a kernel map, over whole scenes, and over the points of a voxel."""

from tamis.kernels import Reduction
from tamis.ops.sparse_pool.call import global_pool, merge_rows, sparse_pool
from tamis.ops.sparse_pool.library import POOLS

__all__ = ["POOLS", "Reduction", "global_pool", "merge_rows", "sparse_pool"]

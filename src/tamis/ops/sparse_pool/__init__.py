"""Pooling over a kernel map, and over whole scenes."""

from tamis.ops.sparse_pool.call import Reduction, global_pool, sparse_pool

__all__ = ["Reduction", "global_pool", "sparse_pool"]

"""What is measured on: matrices, masks and graphs that are made again from a seed, each with a manifest."""

from tamis.workloads.dlmc import (
    PATTERNS,
    SHAPES,
    SPARSITIES,
    Family,
    Spec,
    cut,
    generate,
    unit_shape,
    weights,
)
from tamis.workloads.folders import PatternFile, find_smtx, make_dlmc, make_layers
from tamis.workloads.layers import divides, one_weight_per_role
from tamis.workloads.manifest import Manifest, block_fill, describe
from tamis.workloads.sentences import SENTENCES

__all__ = [
    "PATTERNS",
    "SENTENCES",
    "SHAPES",
    "SPARSITIES",
    "Family",
    "Manifest",
    "PatternFile",
    "Spec",
    "block_fill",
    "cut",
    "describe",
    "divides",
    "find_smtx",
    "generate",
    "make_dlmc",
    "make_layers",
    "one_weight_per_role",
    "unit_shape",
    "weights",
]

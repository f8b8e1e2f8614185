"""From dense models to sparse ones, and to disk and back."""

from tamis.models.densify import densify
from tamis.models.precision import Compute
from tamis.models.report import SparsifiedLayer, SparsifyReport
from tamis.models.saving import load_sparse, save_sparse
from tamis.models.sparsify import sparsify

__all__ = [
    "Compute",
    "SparsifiedLayer",
    "SparsifyReport",
    "densify",
    "load_sparse",
    "save_sparse",
    "sparsify",
]

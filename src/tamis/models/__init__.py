"""From dense models to sparse ones and back from disk."""

from tamis.models.report import SparsifiedLayer, SparsifyReport
from tamis.models.sparsify import sparsify

__all__ = ["SparsifiedLayer", "SparsifyReport", "sparsify"]

"""Sparse deep-learning inference for PyTorch: what matters stays, the zeros fall through."""

from importlib.metadata import version

from tamis import pretrained
from tamis.formats import BSR, CSR, NM, Bitmap, load, save
from tamis.models import densify, load_sparse, save_sparse, sparsify
from tamis.ops.spmm import linear, plan_spmm, spmm
from tamis.pruning import prune

__version__ = version("tamis")

__all__ = [
    "BSR",
    "CSR",
    "NM",
    "Bitmap",
    "densify",
    "linear",
    "load",
    "load_sparse",
    "plan_spmm",
    "pretrained",
    "prune",
    "save",
    "save_sparse",
    "sparsify",
    "spmm",
]

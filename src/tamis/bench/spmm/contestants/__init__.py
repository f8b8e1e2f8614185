"""Who takes part in the SpMM suite: the literal lists, and what a contestant hands over."""

from tamis.bench.spmm.contestants.listed import (
    ALL,
    CANDIDATES,
    DENSE,
    EIGHT_BITS,
    OURS,
    ROLES,
    ROUNDED,
    Contestant,
)
from tamis.bench.spmm.contestants.prepared import Prepared

__all__ = ["ALL", "CANDIDATES", "DENSE", "EIGHT_BITS", "OURS", "ROLES", "ROUNDED", "Contestant", "Prepared"]

"""The SpMM suite: measure sparse × dense products, and say what the rows come to."""

from tamis.bench.spmm import training
from tamis.bench.spmm.results import publish, verdict_of, write
from tamis.bench.spmm.rows import read
from tamis.bench.spmm.suite import Options, Outcome, Progress, run

__all__ = ["Options", "Outcome", "Progress", "publish", "read", "run", "training", "verdict_of", "write"]

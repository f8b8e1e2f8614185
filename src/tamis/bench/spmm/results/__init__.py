"""What the SpMM suite's rows come to: a page, a plot, a sentence, and the rows behind them."""

from tamis.bench.spmm.results.published import publish
from tamis.bench.spmm.results.report import verdict_of, write

__all__ = ["publish", "verdict_of", "write"]

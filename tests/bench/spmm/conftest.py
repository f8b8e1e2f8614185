"""Rows made by hand, for tests of what is computed from rows."""

from collections.abc import Callable

import pytest

from tamis.bench.spmm.rows import Row


def _row(contestant: str = "tamis_spmm", **changes: object) -> Row:
    """A timed row of a 1024 × 1024 matrix at 80 % and n = 128, with some fields changed."""
    fields = {
        "section": "grid",
        "cell": "c0",
        "matrix": "a",
        "pattern": "unstructured",
        "family": "magnitude",
        "m": 1024,
        "k": 1024,
        "n": 128,
        "nnz": 209715,
        "target": 0.8,
        "sparsity": 0.8,
        "row_cov": 0.3,
        "reuse_4": 1.4,
        "reuse_8": 2.0,
        "cache": "warm",
        "contestant": contestant,
        "status": "ok",
        "planned_n": 128,
        "median_us": 500.0,
        "spread": 0.05,
        "samples": 31,
        "dirty": 0.0,
        "waiting": 0.01,
        "dense_us": 1500.0,
        "speedup": 3.0,
    }
    return Row(**{**fields, **changes})


@pytest.fixture
def row() -> Callable[..., Row]:
    """The function that makes such rows."""
    return _row

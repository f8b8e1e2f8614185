"""What a contestant hands over: a call to time and what is to be known about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tamis.bench.measurement import Pool
from tamis.bench.spmm.operands import Operands


@dataclass(frozen=True)
class Prepared:
    """One contestant ready to run on one product.

    Attributes
    ----------
    run : callable without arguments
        What is timed: one product, as a user would call it, result allocated by the call where the engine does so.
    product : callable
        Turns what ``run`` returned into a Tensor of shape (m, n); not timed.
    stored : int
        Values that are multiplied, fill included.
    streamed_bytes : int
        Bytes of A that one call reads.
    resident_bytes : int
        Bytes that stay allocated for A.
    detail : str
        Kernel and reason, version, pool.
    pool : {"torch", "own"}
        Contestants on torch's thread pool are interleaved. One with its own gets a time block of its own, with dense beside.
    pack_us : float, optional
        Time to make the plan or the handle from A in a standard format.
    rounded : Operands, optional
        The operands that its product is checked against, where it stores A in fewer bits.
    nearness : float, optional
        Largest distance that passes (:meth:`Operands.distance`), where the product is rounded on purpose; else single results
        keep the operands' own bound.
    predicted_us, predicted_crossover : float, optional
        What the cost model expects of this call, and the sparsity from which it expects sparse to beat dense.
    """

    run: Callable[[], Any]
    product: Callable[[Any], Tensor]
    stored: int
    streamed_bytes: int
    resident_bytes: int
    detail: str = ""
    pool: Pool = "torch"
    pack_us: float | None = None
    rounded: Operands | None = None
    nearness: float | None = None
    predicted_us: float | None = None
    predicted_crossover: float | None = None


def as_is(result: Tensor) -> Tensor:
    """For contestants that return (m, n)."""
    return result


def transposed(result: Tensor) -> Tensor:
    """For contestants that return (n, m)."""
    return result.T

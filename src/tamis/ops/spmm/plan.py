"""The plan of an SpMM: chosen kernel, packed layout, reason. Structure only; the numbers flow through it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tamis.formats import SparseMatrix


@dataclass(frozen=True)
class Candidate:
    """One kernel that was looked at: its predicted time in microseconds, or why it cannot serve."""

    kernel: str
    time_us: float | None = None
    refusal: str | None = None
    measured: bool = False

    def describe(self, chosen: str) -> str:
        if self.time_us is None:
            return f"  {self.kernel:<16} cannot serve: {self.refusal}"
        mark = "  <- chosen" if self.kernel == chosen else ""
        return (
            f"  {self.kernel:<16} {_time(self.time_us)} {'measured' if self.measured else 'predicted'}{mark}"
        )


def structure_tensors(a: SparseMatrix) -> dict[str, Tensor]:
    """The component tensors of a matrix that hold no numbers, and the shape of those that do."""
    components = a.components()
    shapes = torch.tensor([*a.shape, *components["values"].shape])
    return {k: v for k, v in components.items() if k not in ("values", "row_scale")} | {"shape": shapes}


@dataclass(frozen=True, eq=False)
class SpmmPlan:
    """How ``spmm(a, b)`` and ``linear(x, a)`` are executed, for one structure; made by :func:`tamis.plan_spmm`.

    A plan serves every n, but was chosen for one. It holds a packed copy of the values, which follows the tensor it was
    made from: values changed in place are packed again at the next call, another structure is an error.

    Attributes
    ----------
    kernel : str
        Backend and name, e.g. ``"cpu/spmm_csr"``.
    reason : str
        Who decided: the caller, the tuned store, or the cost model.
    n : int
        Columns of B the choice was made for.
    time_us, dense_time_us : float
        Expected time of the chosen kernel and of the faster dense product, microseconds.
    crossover : float
        The sparsity from which the chosen kernel is expected to beat dense for this shape and n.
    """

    kernel: str
    reason: str
    n: int
    threads: int
    a: str
    time_us: float
    dense_time_us: float
    crossover: float
    candidates: tuple[Candidate, ...]
    sizes: tuple[int, int, int, int]
    packed: list[Tensor] = field(repr=False)
    structure: dict[Any, Any] = field(repr=False)
    indices: dict[str, Tensor] = field(repr=False)

    def fits(self, a: SparseMatrix) -> bool:
        """True if ``a`` has the structure this plan was made for; free when ``a`` shares it, compared when not."""
        if a._structure_memo is self.structure:
            return True
        theirs = structure_tensors(a)
        return theirs.keys() == self.indices.keys() and all(
            x.shape == y.shape and torch.equal(x, y)
            for x, y in zip(theirs.values(), self.indices.values(), strict=True)
        )

    @property
    def pays(self) -> bool:
        """True if the chosen kernel is expected to be faster than dense."""
        return self.time_us < self.dense_time_us

    @property
    def nbytes(self) -> int:
        """Bytes of the packed layout: structure, the map from values to packed order, and the packed copy."""
        return sum(t.nbytes for t in self.packed)

    @property
    def streamed_bytes(self) -> int:
        """Bytes of the matrix that one call reads, if B fits in one panel."""
        return self.nbytes - self.packed[3].nbytes

    def explain(self) -> str:
        """Return every candidate with its time or its reason, the dense time, and the verdict."""
        ratio = self.dense_time_us / self.time_us
        if self.pays:
            verdict = f"sparse wins: {ratio:.2f}x dense; it would from {self.crossover:.0%} sparsity on"
        elif self.crossover < 1:
            verdict = (
                f"dense wins: sparse reaches {ratio:.2f}x; it would win from {self.crossover:.0%} sparsity on"
            )
        else:
            verdict = f"dense wins at any sparsity: sparse reaches {ratio:.2f}x"
        lines = [f"spmm {self.a}, n = {self.n}, {self.threads} threads: {self.kernel} ({self.reason})"]
        lines += [c.describe(self.kernel) for c in self.candidates]
        lines += [f"  {'dense':<16} {_time(self.dense_time_us)} predicted", f"  {verdict}"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"SpmmPlan({self.kernel}, n={self.n}, {self.nbytes:,} bytes, {self.reason})"


def _time(us: float) -> str:
    return f"{us:9.1f} us" if us < 10_000 else f"{us / 1000:9.2f} ms"

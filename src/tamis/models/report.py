"""What ``sparsify`` did, layer by layer."""

from collections import Counter
from dataclasses import dataclass

from tamis.report import Column, Table, mib, words


@dataclass(frozen=True)
class SparsifiedLayer:
    """One row: a linear layer and the verdict on it.

    Attributes
    ----------
    name : str
    shape : (int, int)
        Outputs m, inputs k.
    sparsity : float
        Zeros per weight; 0 where the weights are not known (``dense_bytes`` is 0).
    replaced : bool
        Whether it is a :class:`SparseLinear` now.
    reason : str
        Why, in words.
    tokens : tuple of int
        The n of each call in one forward pass.
    format, kernel : str or None
        Of the best sparse candidate, also where dense won; None where there was none.
    dense_ms, sparse_ms : float or None
        Time in one forward pass, over all calls of the layer.
    error : float or None
        Distance of the sparse output from the dense layer's in float64, over the size of that (Frobenius norms).
    dense_bytes, sparse_bytes : int
        Weight before, and now: values, indices and the packed layouts of the plans.
    """

    name: str
    shape: tuple[int, int]
    sparsity: float
    replaced: bool
    reason: str
    tokens: tuple[int, ...] = ()
    format: str | None = None
    kernel: str | None = None
    dense_ms: float | None = None
    sparse_ms: float | None = None
    error: float | None = None
    dense_bytes: int = 0
    sparse_bytes: int = 0


@dataclass(frozen=True)
class SparsifyReport:
    """What :func:`tamis.sparsify` returns; printing it shows a table.

    Attributes
    ----------
    rows : tuple of SparsifiedLayer
        Every ``nn.Linear`` of the model, in its order.
    times : "measured" or "predicted"
        Where the times come from.
    """

    rows: tuple[SparsifiedLayer, ...]
    times: str

    @property
    def replaced(self) -> tuple[SparsifiedLayer, ...]:
        return tuple(row for row in self.rows if row.replaced)

    def __str__(self) -> str:
        header: list[str | Column] = [
            words("layer"),
            "shape",
            "sparsity",
            "n",
            words("format"),
            words("kernel"),
        ]
        header += [Column("dense", "ms"), Column("sparse", "ms"), "error", words("verdict")]
        table = Table(header, map(_cells, self.rows))
        return f"{table}\n{self.summary()}"

    def _why_none(self) -> str:
        """Dense is called right only where it was compared, and won."""
        compared = [r for r in self.rows if r.dense_ms is not None and r.sparse_ms is not None]
        won = sum((r.dense_ms or 0.0) <= (r.sparse_ms or 0.0) for r in compared)
        if won == len(self.rows):
            return "dense is the right choice here."
        if not compared:
            return "none could be compared with a sparse one; the verdicts say why."
        if won == len(compared):
            return (
                f"dense won in the {won} that could be compared; the verdicts say why the others could not."
            )
        return f"dense won in {won} of them; the verdicts say why the others are dense."

    def summary(self) -> str:
        """Say in a line how many layers are sparse now, and what that does to their time and memory."""
        rows = self.replaced
        if not rows:
            return f"0 of {len(self.rows)} linear layers are sparse now: {self._why_none()}"
        dense, sparse = (
            sum(t or 0.0 for t in times)
            for times in ([r.dense_ms for r in rows], [r.sparse_ms for r in rows])
        )
        before, after = sum(r.dense_bytes for r in rows), sum(r.sparse_bytes for r in rows)
        speed = f", {dense:.2f} -> {sparse:.2f} ms ({self.times})" if sparse else ""
        return (
            f"{len(rows)} of {len(self.rows)} linear layers are sparse now{speed}, "
            f"{mib(before)} -> {mib(after)} MiB of weights."
        )


def _cells(row: SparsifiedLayer) -> tuple[str, ...]:
    return (
        row.name or "(the model)",
        "{}x{}".format(*row.shape),
        f"{row.sparsity:.1%}" if row.dense_bytes else "",
        _tokens(row.tokens),
        row.format or "",
        row.kernel or "",
        "" if row.dense_ms is None else f"{row.dense_ms:.3f}",
        "" if row.sparse_ms is None else f"{row.sparse_ms:.3f}",
        "" if row.error is None else f"{row.error:.0e}",
        ("sparse: " if row.replaced else "dense: ") + row.reason,
    )


def _tokens(tokens: tuple[int, ...]) -> str:
    """Shorten (32, 32, 1) to "32 (2 times), 1"."""
    return ", ".join(f"{n} ({times} times)" if times > 1 else str(n) for n, times in Counter(tokens).items())

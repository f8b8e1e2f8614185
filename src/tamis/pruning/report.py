"""What pruning did, layer by layer."""

from dataclasses import dataclass, field

from torch import Tensor

from tamis.report import Table, words


@dataclass(frozen=True)
class PrunedLayer:
    """One row: a weight matrix and what became of it.

    Attributes
    ----------
    name : str
    shape : (int, int)
    zeros : int or None
        Zero weights after the call; None where they are not known (computed anew, on the meta device, quantised).
    kept_score : float or None
        Share of the summed score that the kept weights hold, in 0..1; None where nothing was pruned, where a score is
        infinite, and for methods that rank no weights.
    aliases : tuple of str
        Other parameters that are the same memory, changed with it.
    left : str or None
        Why the layer was left as it was; None if it was pruned.
    output_error : float or None
        ‖X (W - W')ᵀ‖ / ‖X Wᵀ‖ on the calibration inputs X, for methods that need their Gram matrix; None where the
        output is not finite.
    """

    name: str
    shape: tuple[int, ...]
    zeros: int | None
    kept_score: float | None = None
    aliases: tuple[str, ...] = ()
    left: str | None = None
    output_error: float | None = None

    @property
    def weights(self) -> int:
        rows, cols = self.shape
        return rows * cols

    @property
    def sparsity(self) -> float:
        return self.zeros / self.weights if self.zeros and self.weights else 0.0


@dataclass(frozen=True, eq=False)
class PruneReport:
    """What :func:`tamis.prune` returns; printing it shows a table.

    Attributes
    ----------
    pattern, method : str
    rows : tuple of PrunedLayer
        Every matrix of the model that pruning knows, pruned or not.
    model_weights : int
        All parameters of the model, also those that pruning does not know (embeddings, norms, convolutions).
    masks : dict
        Parameter name -> bool Tensor, True where the weight stays; for :func:`apply_masks`.
    """

    pattern: str
    method: str
    rows: tuple[PrunedLayer, ...]
    model_weights: int
    masks: dict[str, Tensor] = field(repr=False)

    @property
    def pruned(self) -> tuple[PrunedLayer, ...]:
        return tuple(row for row in self.rows if row.left is None)

    @property
    def sparsity(self) -> float:
        """Zeros per weight over the pruned layers."""
        weights = sum(row.weights for row in self.pruned)
        return sum(row.zeros or 0 for row in self.pruned) / weights if weights else 0.0

    def __str__(self) -> str:
        cells = [
            (
                row.name or "(the model)",
                "x".join(map(str, row.shape)),
                "" if row.zeros is None else f"{row.sparsity:.2%}",
                _quality(row),
                f"left: {row.left}" if row.left else "also " + ", ".join(row.aliases) if row.aliases else "",
            )
            for row in self.rows
        ]
        measured = any(row.output_error is not None for row in self.rows)
        quality = f"{self.method}: output error" if measured else f"kept {self.method}"
        table = Table([words("layer"), "shape", "sparsity", quality, words("")], cells)
        weights = sum(row.weights for row in self.pruned)
        share = weights / self.model_weights if self.model_weights else 0.0
        return (
            f"{table}\n{len(self.pruned)} of {len(self.rows)} layers pruned to {self.sparsity:.2%} "
            f"({self.pattern}): {weights:,} weights, {share:.0%} of all {self.model_weights:,} parameters."
        )


def _quality(row: PrunedLayer) -> str:
    if row.output_error is not None:
        return f"{row.output_error:.1%}"
    return "" if row.kept_score is None else f"{row.kept_score:.1%}"

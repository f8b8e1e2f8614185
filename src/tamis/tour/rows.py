"""What the tour finds: a row per configuration, and in it a row per layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tamis.models import SparsifiedLayer
from tamis.tour.street import Street

INTACT = 0.98  # mean cosine to the dense embedding from which a pruned encoder counts as unharmed


@dataclass(frozen=True)
class Configuration:
    """A way to prune the model.

    Attributes
    ----------
    pattern : str
        As for :func:`tamis.prune`, or "mixed" where every layer has its own.
    sparsity : float or None
        Of every layer; None where every layer has its own.
    aim : float or None
        For "mixed": the mean cosine on the calibration sentences that it was made to keep.
    """

    pattern: str
    sparsity: float | None
    aim: float | None = None

    @property
    def name(self) -> str:
        if self.sparsity is None:
            return f"mixed for {self.aim:g}"
        return f"{self.pattern}, {100 * self.sparsity:g} %"


@dataclass(frozen=True)
class Speed:
    """Median and quartiles of one forward pass, milliseconds.

    Attributes
    ----------
    waiting : float
        Share of the time in which threads stood ready without getting a CPU; see :class:`tamis.tuning.timer.Timing`.
    """

    ms: float
    q1_ms: float
    q3_ms: float
    waiting: float = 0.0


@dataclass(frozen=True)
class LayerRow:
    """One linear layer of one configuration.

    Attributes
    ----------
    layer : SparsifiedLayer
        Shape, sparsity, choice, reason, times and error, from :func:`tamis.models.sparsify`.
    crossover : float or None
        The sparsity from which the kernel is predicted to beat dense; None where there is no sparse candidate in use.
    format_bytes, packed_bytes : int
        Of the weight as it is now: what the dense tensor takes, or the sparse layer in its kernel's order.
    """

    layer: SparsifiedLayer
    crossover: float | None
    format_bytes: int
    packed_bytes: int


@dataclass(frozen=True)
class ModelRow:
    """A whole model in one configuration.

    Attributes
    ----------
    sparsity : float
        Zeros per weight, over the linear layers of the encoder.
    mean_cosine, min_cosine : float
        To the dense model's embedding, over the test sentences.
    batch, single : Speed
        All test sentences in one batch; one sentence of median length.
    layers : tuple of LayerRow
    """

    configuration: Configuration
    sparsity: float
    mean_cosine: float
    min_cosine: float
    batch: Speed
    single: Speed
    layers: tuple[LayerRow, ...] = field(repr=False, default=())

    @property
    def intact(self) -> bool:
        return self.mean_cosine >= INTACT

    @property
    def format_bytes(self) -> int:
        return sum(row.format_bytes for row in self.layers)

    @property
    def packed_bytes(self) -> int:
        return sum(row.packed_bytes for row in self.layers)

    @property
    def replaced(self) -> int:
        return sum(row.layer.replaced for row in self.layers)


@dataclass(frozen=True)
class Damage:
    """Mean cosine after pruning with one score, for the comparison of scores; nothing was timed."""

    score: str
    configuration: Configuration
    mean_cosine: float


@dataclass(frozen=True)
class Tour:
    """All that the page shows.

    Attributes
    ----------
    model : str
    sentences, tokens, padded_tokens : int
        Of the test batch: real tokens, and tokens with padding, which is the n of the matrix products.
    single_tokens : int
        Of the one sentence.
    calibration : int
        Sentences that calibrated the pruning.
    dense_batch, dense_single : Speed
        Of the model as PyTorch runs it.
    packed_batch, packed_single : Speed or None
        Of the dense model with weights packed ahead; None where torch cannot.
    dense_bytes : int
        Of the weights of the linear layers.
    other_bytes : int
        Of everything that stays as it is: embeddings, norms, biases.
    rows : tuple of ModelRow
    damages : tuple of Damage
    environment : dict
    street : Street or None
        A point cloud labelled by a sparse convolution network, with weights of its own.
    """

    model: str
    sentences: int
    tokens: int
    padded_tokens: int
    single_tokens: int
    calibration: int
    dense_batch: Speed
    dense_single: Speed
    packed_batch: Speed | None
    packed_single: Speed | None
    dense_bytes: int
    other_bytes: int
    rows: tuple[ModelRow, ...]
    damages: tuple[Damage, ...]
    environment: dict[str, Any]
    street: Street | None = None

    def speedup(self, row: ModelRow) -> float:
        """How many times as fast as dense the whole model is, on the batch."""
        return self.dense_batch.ms / row.batch.ms

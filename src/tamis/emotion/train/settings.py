"""Settings of training: optimiser, stages, meta-classifier."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from tamis.emotion.network import MetaInputs

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=STRICT)
class Optimisation:
    """AdamW and its batches; ``accumulate`` batches make a step."""

    batch_size: PositiveInt = 32
    accumulate: PositiveInt = 1
    weight_decay: NonNegativeFloat = 0.01
    clip_norm: PositiveFloat | None = 1.0


@dataclass(frozen=True, config=STRICT)
class Phase:
    """How long and how fast a stage trains.

    ``weight_power`` is the exponent of the class weights (0 = none). The learning rate rises over the share ``warmup`` of the
    stage, then stays or falls along a cosine. ``patience`` counts epochs without a better macro-F1 on the development rows;
    the best epoch's weights stay then, else the last's. ``epochs = 0`` leaves the stage out.
    """

    epochs: NonNegativeInt
    learning_rate: PositiveFloat
    weight_power: NonNegativeFloat = 0.0
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    decay: Literal["none", "cosine"] = "none"
    patience: PositiveInt | None = None


@dataclass(frozen=True, config=STRICT)
class Meta:
    """The meta-classifier: one linear layer over all members' outputs, trained ``runs`` times for the soup.

    ``inputs`` are the members' probabilities (as published) or their logarithms. ``start`` is at random numbers (as published),
    at the members' mean (``"vote"``), or at their weighted mean with the best weight for each member (``"weighted_vote"``);
    ``pull`` is the strength of the quadratic pull back to the start.

    ``join`` says what the members are joined by: their plain mean (``"vote"``), a mean with a weight for each member, this layer
    (``"linear"``, as published), or (``"evidence"``) the simplest of these that predicts unseen speakers as well as the best one does.
    """

    join: Literal["evidence", "vote", "weights", "linear"] = "evidence"
    inputs: MetaInputs = "log_probabilities"
    start: Literal["vote", "weighted_vote", "random"] = "vote"
    pull: NonNegativeFloat = 1.0
    runs: PositiveInt = 6
    batch_size: PositiveInt = 128
    natural: Phase = Phase(epochs=20, learning_rate=3e-3, weight_power=0.5)
    balanced: Phase = Phase(epochs=20, learning_rate=1e-3)

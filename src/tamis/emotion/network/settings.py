"""Settings of the networks: their sizes and switches, which streams a member reads, losses and regularisation."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid")
Share = Annotated[float, Field(ge=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]


@dataclass(frozen=True, config=STRICT)
class Architecture:
    """Sizes and switches of DeepSER. The defaults are tamis's own; :data:`PAPER` is what was published.

    Parameters
    ----------
    width, heads, hidden : int
        Model width D, attention heads, feed-forward width.
    dropout : float
        Within branches.
    input_dropout : float
        On the numbers of a stream's frames.
    masks : bool
        Padding and missing streams take no part in attention and means.
    positions : bool
        Sinusoidal positions in the branches of the streams.
    fusion : "deep" or "late"
        Fusion at three depths, or (for ablations) of the branches' pooled outputs only.
    standardise : bool
        Streams enter with zero mean and unit variance, measured on the training frames.
    """

    width: PositiveInt = 128
    heads: PositiveInt = 4
    hidden: PositiveInt = 256
    dropout: Share = 0.2
    input_dropout: Share = 0.2
    masks: bool = True
    positions: bool = True
    fusion: Literal["deep", "late"] = "deep"
    standardise: bool = True


PAPER = Architecture(
    width=512,
    heads=1,
    hidden=2048,
    dropout=0.1,
    input_dropout=0.0,
    masks=False,
    positions=False,
    standardise=False,
)


@dataclass(frozen=True, config=STRICT)
class Member:
    """One model of the ensemble: a name, the streams it reads, and whether it is a DeepSER or a ridge regression."""

    name: Name
    streams: tuple[str, ...]
    kind: Literal["deep", "ridge"] = "deep"


@dataclass(frozen=True, config=STRICT)
class Loss:
    """Weights of the soft cross-entropy and of the attributes' squared error."""

    categories: NonNegativeFloat = 1.0
    attributes: NonNegativeFloat = 0.1


@dataclass(frozen=True, config=STRICT)
class Regularisation:
    """Manifold MixUp (probability per batch, Beta(alpha, alpha)), the share of streams hidden in training, and the strength
    of ridge members (:meth:`tamis.emotion.network.RidgeSER.solve`)."""

    mixup_probability: Annotated[float, Field(ge=0, le=1)] = 0.3
    mixup_alpha: PositiveFloat = 0.2
    modality_dropout: Share = 0.1
    ridge: PositiveFloat = 1.0

"""Sizes and switches of DeepSER, as a record that the configuration holds and the model is built from."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
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

    width: Annotated[int, Field(gt=0)] = 128
    heads: Annotated[int, Field(gt=0)] = 4
    hidden: Annotated[int, Field(gt=0)] = 256
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    input_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
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

"""Settings of the data: splits, targets, and how members see a stream. A training configuration is composed of them."""

from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, NonNegativeInt
from pydantic.dataclasses import dataclass

from tamis.emotion.data.targets import Other

STRICT = ConfigDict(extra="forbid")

Layer = Literal["all", "joined", "last", "last4"] | int
"""All kept layers (a branch learns their weights), all side by side as one wide vector, the last, the sum of the last four,
or one by number (-1 = last)."""

Pool = int | Literal["statistics"]
"""The mean of so many frames makes one; or the whole utterance makes one: its mean and deviation side by side."""


@dataclass(frozen=True, config=STRICT)
class Splits:
    """Which utterances are trained on, watched, and measured on.

    ``train``, ``development`` and ``test`` list values of the index's split column, by any of their usual names ("val" is
    "development"). With ``by="speaker"`` the column does not matter: a fifth of the rows, of speakers of their own, is the test set;
    ``"auto"`` does that where the column is empty. The training rows are dealt into ``folds`` by speaker, for out-of-fold
    predictions. With ``outer_folds`` all rows are dealt into so many folds by speaker, and ``outer_fold`` is the test set.
    ``shared_speakers="allow"`` keeps a corpus' own splits although speakers stand in several: its figures are then not for new speakers.
    """

    train: tuple[str, ...] = ("train",)
    development: tuple[str, ...] = ("development",)
    test: tuple[str, ...] = ("test",)
    by: Literal["auto", "column", "speaker"] = "auto"
    shared_speakers: Literal["refuse", "allow"] = "refuse"
    folds: Annotated[int, Field(ge=2)] = 5
    outer_folds: Annotated[int, Field(ge=2)] | None = None
    outer_fold: NonNegativeInt = 0


@dataclass(frozen=True, config=STRICT)
class Targets:
    """From votes to soft labels (:mod:`tamis.emotion.data.targets`).

    ``no_agreement="drop"`` leaves out training utterances whose raters have no plurality.
    """

    rule: Literal["primary", "secondary", "all_inclusive", "hard"] = "primary"
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    other: Other = "drop"
    no_agreement: Literal["keep", "drop"] = "keep"


@dataclass(frozen=True, config=STRICT)
class StreamView:
    """How members see a stream of the feature set: which layer, and how frames are pooled."""

    stream: str
    layer: Layer = "all"
    pool: Annotated[Pool, Field(union_mode="left_to_right")] = 1


@plain_dataclass(frozen=True)
class DataSettings:
    """Everything that decides what :func:`~tamis.emotion.data.load` gives.

    Attributes
    ----------
    features : Path
        Folder of the feature set.
    streams : mapping of name to StreamView
    splits : Splits
    targets : Targets
    variants : tuple of str
        Augmented variants whose predictions are averaged with the original's.
    seed : int
        Deals speakers into folds.
    """

    features: Path
    streams: Mapping[str, StreamView]
    splits: Splits
    targets: Targets
    variants: tuple[str, ...]
    seed: int

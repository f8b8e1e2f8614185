"""What training reads: the rows of a feature set with their targets, folds and packed frames, and batches of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tamis.emotion.corpora import OTHER
from tamis.emotion.data.batch import Batch, padded_inputs, total_lengths
from tamis.emotion.data.doubts import doubts, refuse_one_category
from tamis.emotion.data.feature_set import FeatureSet
from tamis.emotion.data.folds import Rows, speaker_folds, speakers_of_sources, split_rows
from tamis.emotion.data.packed_frames import PackedFrames, open_packed, pack_stream, view_folder
from tamis.emotion.data.settings import DataSettings
from tamis.emotion.data.targets import NO_AGREEMENT, RULES, consensus, defined, smoothed


@dataclass(frozen=True)
class Packed:
    """Settings whose streams :func:`pack` has packed below ``folder``."""

    settings: DataSettings
    folder: Path


@dataclass(frozen=True)
class TrainingData:
    """All rows of a feature set, and which of them a model trains on.

    Pickled as the place it was loaded from: a process that receives it maps the same files.

    Attributes
    ----------
    packed : Packed
        What it was loaded from.
    utterances, speakers : array of str, shape (N,)
    original : array of bool, shape (N,)
        False for augmented variants.
    categories : tuple of str
    soft_labels : shape (N, C)
        Targets by the configured rule, smoothed; NaN where the rule has no answer.
    vote_shares : shape (N, C)
        The same before smoothing: what probabilities are calibrated to.
    consensus : shape (N,)
        Plurality of the primary votes, negative = no agreement.
    attributes : shape (N, 3)
    train, development, test : Rows
        Training rows include augmented variants; development and test are originals.
    folds : shape (len(train),)
        Fold of every training row.
    variant_rows : tuple of arrays, each of shape (N,)
        Rows over which the prediction of an original is averaged: its own, and one array per configured variant.
    frames : mapping of str to PackedFrames
    notes : tuple of str
        What was decided about the rows, and what makes figures doubtful.
    """

    packed: Packed
    utterances: npt.NDArray[np.object_]
    speakers: npt.NDArray[np.object_]
    original: npt.NDArray[np.bool_]
    categories: tuple[str, ...]
    soft_labels: npt.NDArray[np.float64]
    vote_shares: npt.NDArray[np.float64]
    consensus: npt.NDArray[np.int64]
    attributes: npt.NDArray[np.float64]
    train: Rows
    development: Rows
    test: Rows
    folds: npt.NDArray[np.int64]
    variant_rows: tuple[Rows, ...]
    frames: Mapping[str, PackedFrames]
    notes: tuple[str, ...]

    def __reduce__(self) -> tuple[Callable[[Packed], "TrainingData"], tuple[Any, ...]]:
        return load, (self.packed,)

    def fold(self, fold: int) -> tuple[Rows, Rows]:
        """Training rows outside ``fold``, and the original recordings inside it."""
        inside = self.train[self.folds == fold]
        return self.train[self.folds != fold], inside[self.original[inside]]

    def batch(self, rows: Rows, streams: Sequence[str]) -> Batch:
        """Rows with their targets."""
        inputs = padded_inputs(self.frames, rows, streams)
        return Batch(
            inputs.features,
            inputs.masks,
            torch.from_numpy(self.soft_labels[rows]).float(),
            torch.from_numpy(self.attributes[rows]).float(),
            torch.from_numpy(rows),
        )

    def lengths(self, streams: Sequence[str]) -> npt.NDArray[np.int64]:
        """Frames of every row in all ``streams`` together, shape (N,)."""
        return total_lengths(self.frames, streams)

    def stream_shapes(self, streams: Sequence[str]) -> dict[str, tuple[int, int | None]]:
        """(dim, layers) of the streams, as the networks want them."""
        return {name: (self.frames[name].dim, self.frames[name].layers) for name in streams}


@dataclass(frozen=True)
class BatchList:
    """One epoch's batches, put together when they are reached."""

    data: TrainingData
    rows: Sequence[Rows]
    streams: Sequence[str]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        return (self.data.batch(rows, self.streams) for rows in self.rows)


def pack(settings: DataSettings, folder: Path) -> Packed:
    """Pack every stream of ``settings`` below ``folder``; those that are there already stay."""
    features = FeatureSet(settings.features)
    for view in settings.streams.values():
        pack_stream(features, view, folder)
    return Packed(settings, folder)


def load(packed: Packed) -> TrainingData:
    """Read the index, apply the target rule, deal the folds, and map the packed frames.

    Raises
    ------
    ValueError   without a usable training row, for training rows of one category, for speakers on both sides of a split, and for
                 variants that are missing.
    """
    settings, targets = packed.settings, packed.settings.targets
    features = FeatureSet(settings.features)
    vote_shares = RULES[targets.rule](features.votes(), features.mentions(), targets.other)
    soft_labels = smoothed(vote_shares, targets.smoothing)
    agreed = consensus(features.votes(), targets.other)
    original = features.strings("variant") == ""
    speakers = speakers_of_sources(features, original)
    train, development, test, notes = split_rows(settings.splits, features, speakers, settings.seed)
    wanted = defined(soft_labels) & ((agreed != NO_AGREEMENT) | (targets.no_agreement == "keep"))
    train = train[wanted[train]]
    if not len(train):
        raise ValueError(
            f"training: {settings.features} has no usable training row; the splits are "
            f"{sorted(set(features.strings('split')))}, the configuration trains on {list(settings.splits.train)}. Name one of "
            "them (splits.train), or split by speaker (splits.by = 'speaker')."
        )
    development, test = development[original[development]], test[original[test]]
    folds = speaker_folds(list(speakers[train]), settings.splits.folds, settings.seed)
    categories = features.categories + ((OTHER,) if targets.other == "keep" else ())
    refuse_one_category(categories, agreed[train], folds)
    nameless = features.strings("speaker")[train] == ""
    notes += doubts(categories, agreed, train[original[train]], test, nameless[original[train]])
    return TrainingData(
        packed=packed,
        utterances=features.strings("utterance"),
        speakers=speakers,
        original=original,
        categories=categories,
        soft_labels=soft_labels,
        vote_shares=vote_shares,
        consensus=agreed,
        attributes=features.attributes(),
        train=train,
        development=development,
        test=test,
        folds=folds,
        variant_rows=_variant_rows(settings, features, original),
        frames={
            name: open_packed(view_folder(view, packed.folder)) for name, view in settings.streams.items()
        },
        notes=tuple(notes),
    )


def _variant_rows(
    settings: DataSettings, features: FeatureSet, original: npt.NDArray[np.bool_]
) -> tuple[Rows, ...]:
    names, sources, variants = (features.strings(c) for c in ("utterance", "source", "variant"))
    places = {key: row for row, key in enumerate(zip(sources, variants, strict=True))}
    own = np.arange(len(features))
    found = [own]
    for variant in settings.variants:
        rows = own.copy()
        for row in np.flatnonzero(original):
            if (names[row], variant) not in places:
                raise ValueError(
                    f"training: heard_variants names {variant!r}, which {settings.features} lacks for {names[row]!r}; make "
                    f"it with `tamis emotion features … --variant {variant}`, or set heard_variants = []."
                )
            rows[row] = places[names[row], variant]
        found.append(rows)
    return tuple(found)

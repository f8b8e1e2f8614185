"""What training reads: the rows of a feature set with their targets, folds and packed frames, and batches of them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tamis.emotion.corpora.categories import OTHER
from tamis.emotion.data.feature_set import FeatureSet
from tamis.emotion.data.packed_frames import PackedFrames, StreamView, open_packed, pack
from tamis.emotion.data.sampling import Rows, speaker_folds
from tamis.emotion.data.targets import NO_AGREEMENT, RULES, consensus, defined, smoothed
from tamis.emotion.train.config import Config, Stream


@dataclass
class Batch:
    """Utterances side by side: per stream zero-padded frames (B, T, …) and masks (B, T), soft labels (B, C), attributes
    (B, 3) with NaN where not rated, and their rows in the index (B,)."""

    features: dict[str, Tensor]
    masks: dict[str, Tensor]
    soft: Tensor
    attributes: Tensor
    rows: Tensor

    def to(self, device: torch.device) -> "Batch":
        def move(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            return {name: tensor.to(device) for name, tensor in tensors.items()}

        return Batch(
            move(self.features),
            move(self.masks),
            self.soft.to(device),
            self.attributes.to(device),
            self.rows.to(device),
        )


@dataclass(frozen=True)
class TrainingData:
    """All rows of a feature set, and who may see them.

    Attributes
    ----------
    utterances, speakers : array of str, shape (N,)
    categories : tuple of str
    soft : shape (N, C)
        Soft labels by the configured rule, NaN where it has no answer.
    unsmoothed : shape (N, C)
        The same before smoothing: what probabilities are calibrated to.
    labels : shape (N,)
        Plurality of the primary votes, negative = no agreement.
    attributes : shape (N, 3)
    train, development, test : Rows
        Training rows include augmented variants; development and test are originals.
    folds : shape (len(train),)
        Fold of every training row.
    versions : tuple of arrays, each of shape (N,)
        Rows over which the prediction of an original is averaged: its own, and those of its heard variants.
    frames : mapping of str to PackedFrames
    """

    utterances: npt.NDArray[np.object_]
    speakers: npt.NDArray[np.object_]
    original: npt.NDArray[np.bool_]
    categories: tuple[str, ...]
    soft: npt.NDArray[np.float64]
    unsmoothed: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    attributes: npt.NDArray[np.float64]
    train: Rows
    development: Rows
    test: Rows
    folds: npt.NDArray[np.int64]
    versions: tuple[Rows, ...]
    frames: Mapping[str, PackedFrames]

    def fold(self, fold: int) -> tuple[Rows, Rows]:
        """Training rows outside ``fold``, and the original recordings inside it."""
        inside = self.train[self.folds == fold]
        return self.train[self.folds != fold], inside[self.original[inside]]

    def batch(self, rows: Rows, streams: Sequence[str]) -> Batch:
        padded = {name: self.frames[name].padded(rows) for name in streams}
        return Batch(
            {name: x for name, (x, _) in padded.items()},
            {name: mask for name, (_, mask) in padded.items()},
            torch.from_numpy(self.soft[rows]).float(),
            torch.from_numpy(self.attributes[rows]).float(),
            torch.from_numpy(rows),
        )

    def lengths(self, streams: Sequence[str]) -> npt.NDArray[np.int64]:
        """Frames of every row in all ``streams`` together, shape (N,)."""
        total: npt.NDArray[np.int64] = np.sum([self.frames[name].lengths for name in streams], axis=0)
        return total

    def stream_shapes(self, streams: Sequence[str]) -> dict[str, tuple[int, int | None]]:
        """(dim, layers) of the streams, as :class:`DeepSER` wants them."""
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


def load_training_data(config: Config, packed: Path) -> TrainingData:
    """Read the index, apply the target rule, deal the folds, and open the packed frames (packing them where needed)."""
    features = FeatureSet(config.features)
    unsmoothed = RULES[config.targets.rule](features.votes(), features.mentions(), config.targets.other)
    soft = smoothed(unsmoothed, config.targets.smoothing)
    labels = consensus(features.votes(), config.targets.other)
    original = features.strings("variant") == ""
    speakers = _speakers_of_sources(features, original)
    train, development, test = _split_rows(config, features, speakers)
    wanted = defined(soft) & ((labels != NO_AGREEMENT) | (config.targets.no_agreement == "keep"))
    train = train[wanted[train]]
    if not len(train):
        raise ValueError(
            f"training: {config.features} has no usable training row; the splits are "
            f"{sorted(set(features.strings('split')))}, the configuration trains on {list(config.splits.train)}."
        )
    extra = (OTHER,) if config.targets.other == "keep" else ()
    return TrainingData(
        utterances=features.strings("utterance"),
        speakers=speakers,
        original=original,
        categories=features.categories + extra,
        soft=soft,
        unsmoothed=unsmoothed,
        labels=labels,
        attributes=features.attributes(),
        train=train,
        development=development[original[development]],
        test=test[original[test]],
        folds=speaker_folds(list(speakers[train]), config.splits.folds, config.seed),
        versions=_versions(config, features, original),
        frames={name: load_packed(features, choice, packed) for name, choice in config.streams.items()},
    )


def load_packed(features: FeatureSet, choice: Stream, folder: Path) -> PackedFrames:
    """Frames of a view, packed into a folder of its own below ``folder`` unless they are there already."""
    view = StreamView(choice.stream, choice.layer, choice.pool)
    key = hashlib.blake2b(repr(view).encode(), digest_size=6).hexdigest()
    pack(features, view, folder / key)
    return open_packed(folder / key)


def _speakers_of_sources(features: FeatureSet, original: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    """Speakers, shape (N,); a variant has its source's, and a recording without a speaker is one of its own, so that
    neither can put a recording on both sides of a split."""
    names, sources = features.strings("utterance"), features.strings("source")
    speakers = np.where(features.strings("speaker") == "", names, features.strings("speaker"))
    of_utterance = dict(zip(names, speakers, strict=True))
    for row in np.flatnonzero(~original):
        if sources[row] not in of_utterance:
            raise ValueError(
                f"training: variant {names[row]!r} names the source {sources[row]!r}, which is not in the index."
            )
        speakers[row] = of_utterance[sources[row]]
    return speakers


def _versions(config: Config, features: FeatureSet, original: npt.NDArray[np.bool_]) -> tuple[Rows, ...]:
    names, sources, variants = (features.strings(c) for c in ("utterance", "source", "variant"))
    places = {key: row for row, key in enumerate(zip(sources, variants, strict=True))}
    own = np.arange(len(features))
    versions = [own]
    for variant in config.heard_variants:
        rows = own.copy()
        for row in np.flatnonzero(original):
            if (names[row], variant) not in places:
                raise ValueError(
                    f"training: heard_variants names {variant!r}, which {config.features} lacks for {names[row]!r}; make it "
                    f"with `tamis emotion features … --variant {variant}`, or set heard_variants = []."
                )
            rows[row] = places[names[row], variant]
        versions.append(rows)
    return tuple(versions)


def _split_rows(
    config: Config, features: FeatureSet, speakers: npt.NDArray[np.object_]
) -> tuple[Rows, Rows, Rows]:
    splits = config.splits
    if splits.outer_folds is not None:
        outer = speaker_folds(list(speakers), splits.outer_folds, config.seed)
        inside = outer == splits.outer_fold
        return np.flatnonzero(~inside), np.empty(0, dtype=np.int64), np.flatnonzero(inside)
    split = features.strings("split")
    train, development, test = (
        np.flatnonzero(np.isin(split, list(names)))
        for names in (splits.train, splits.development, splits.test)
    )
    for name, rows in (("development", development), ("test", test)):
        if shared := sorted({s for s in speakers[rows] if s} & {s for s in speakers[train] if s}):
            raise ValueError(
                f"training: {len(shared)} speaker(s) stand both in the training and the {name} rows, "
                f"{shared[0]!r} among them; split by speaker, or use outer_folds."
            )
    return train, development, test


def with_outer_fold(config: Config, fold: int) -> Config:
    """The same run with another test fold, in a folder of its own."""
    splits = replace(config.splits, outer_fold=fold)
    return replace(config, splits=splits, output=config.output / f"outer{fold}")

"""Who trains and who is measured: rows by split, and folds of speakers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from tamis.emotion.data.feature_set import FeatureSet
from tamis.emotion.data.settings import Splits

Rows = npt.NDArray[np.int64]
"""Numbers of rows of a feature set's index."""


def speaker_folds(speakers: Sequence[str], count: int, seed: int) -> npt.NDArray[np.int64]:
    """Assign every row a fold 0..count-1, shape (N,), no speaker in two of them, sizes as equal as they come.

    Speakers are taken largest first (equal ones in random order), each into the fold that is smallest so far. A row without
    a speaker is a speaker of its own.
    """
    keys = np.array([name or f"\0{i}" for i, name in enumerate(speakers)], dtype=object)
    names, sizes = np.unique(keys.astype(str), return_counts=True)
    if len(names) < count:
        raise ValueError(
            f"speaker_folds: {len(names)} speaker(s) cannot be dealt into {count} folds; ask for fewer folds "
            "(splits.folds, splits.outer_folds)."
        )
    shuffled = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).numpy()
    filled, fold_of = np.zeros(count, dtype=np.int64), {}
    for i in sorted(shuffled, key=lambda i: -sizes[i]):
        fold_of[names[i]] = int(filled.argmin())
        filled[fold_of[names[i]]] += sizes[i]
    return np.array([fold_of[key] for key in keys.astype(str)], dtype=np.int64)


def speakers_of_sources(features: FeatureSet, original: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
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


def split_rows(
    splits: Splits, features: FeatureSet, speakers: npt.NDArray[np.object_], seed: int
) -> tuple[Rows, Rows, Rows]:
    """Training, development and test rows.

    Raises
    ------
    ValueError   if a speaker stands both in the training rows and in others.
    """
    if splits.outer_folds is not None:
        outer = speaker_folds(list(speakers), splits.outer_folds, seed)
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

"""Who trains and who is measured: rows by split, and folds of speakers."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from tamis.emotion.corpora import split_name
from tamis.emotion.data.feature_set import FeatureSet
from tamis.emotion.data.settings import Splits

Rows = npt.NDArray[np.int64]
"""Numbers of rows of a feature set's index."""

HELD_OUT = 5
"""Where a corpus has no splits, one of so many parts of its speakers is the test set."""
MOST_NAMES = 6


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
            "(splits.folds, splits.outer_folds), but no fewer than two. For a model of one person, leave the speakers empty: "
            "each recording then counts as a speaker."
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
) -> tuple[Rows, Rows, Rows, list[str]]:
    """Training, development and test rows, and notes on what was decided.

    Raises
    ------
    ValueError   if a speaker stands both in the training rows and in others, and that is not allowed.
    """
    nothing = np.empty(0, dtype=np.int64)
    if splits.outer_folds is not None:
        outer = speaker_folds(list(speakers), splits.outer_folds, seed)
        inside = outer == splits.outer_fold
        return np.flatnonzero(~inside), nothing, np.flatnonzero(inside), []
    split = np.array([split_name(name) for name in features.strings("split")], dtype=object)
    if splits.by == "speaker" or (splits.by == "auto" and not split.any()):
        parts = max(2, min(HELD_OUT, len(set(speakers))))
        inside = speaker_folds(list(speakers), parts, seed) == 0
        return np.flatnonzero(~inside), nothing, np.flatnonzero(inside), [told_speakers(speakers, inside)]
    wanted = [
        {split_name(name) for name in names} for names in (splits.train, splits.development, splits.test)
    ]
    train, development, test = (np.flatnonzero(np.isin(split, list(names))) for names in wanted)
    notes = [
        shared
        for name, rows in (("development", development), ("test", test))
        if (shared := shared_speakers(splits, speakers, train, rows, name))
    ]
    unused = Counter(split[~np.isin(split, list(set.union(*wanted)))])
    if unused:
        counts = ", ".join(f"{name or 'without a split'} {count}" for name, count in sorted(unused.items()))
        notes.append(f"rows that nothing uses: {counts}; [splits] may name them")
    return train, development, test, notes


def told_speakers(speakers: npt.NDArray[np.object_], inside: npt.NDArray[np.bool_]) -> str:
    names = sorted(set(speakers[inside]))
    shown = ", ".join(names[:MOST_NAMES]) + (", …" if len(names) > MOST_NAMES else "")
    return (
        f"rows are split by speaker: {len(names)} of {len(set(speakers))} speakers ({shown}) are the test rows, the others are "
        "trained on"
    )


def shared_speakers(
    splits: Splits, speakers: npt.NDArray[np.object_], train: Rows, rows: Rows, name: str
) -> str | None:
    """What is to be told of speakers on both sides, or the error, if they are not allowed."""
    shared = sorted(set(speakers[rows]) & set(speakers[train]))
    if not shared:
        return None
    told = (
        f"{len(shared)} speaker(s) stand both in the training and the {name} rows, {shared[0]!r} among them"
    )
    if splits.shared_speakers == "refuse":
        raise ValueError(
            f"training: {told}; split by speaker (splits.by = 'speaker', or outer_folds), or take the splits as they are with "
            "splits.shared_speakers = 'allow'."
        )
    return f"{told}: figures are not for new speakers"

"""Which utterances an epoch sees: all of them, or as many of each category and as many ambiguous ones."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

Rows = npt.NDArray[np.int64]


def natural(rows: Rows, generator: torch.Generator) -> Rows:
    """All rows, shuffled."""
    shuffled: Rows = rows[torch.randperm(len(rows), generator=generator).numpy()]
    return shuffled


def balanced(rows: Rows, labels: npt.NDArray[np.int64], generator: torch.Generator) -> Rows:
    """As many rows of every category as the rarest has, and as many ambiguous ones: the ninth share.

    Parameters
    ----------
    rows : shape (N,)
        Candidates.
    labels : shape (N,)
        Their categories; negative = no agreement among the raters.
    generator : torch.Generator
        All shares are drawn from it, so that another epoch sees other rows.

    Returns
    -------
    Rows in random order. Categories without a row are left out; the ambiguous share may be smaller than the others.
    """
    kinds = [rows[labels == label] for label in np.unique(labels[labels >= 0])]
    if not kinds:
        raise ValueError(
            f"balanced: none of the {len(rows)} rows has an agreed category; nothing can be balanced."
        )
    smallest = min(len(kind) for kind in kinds)
    shares = [natural(kind, generator)[:smallest] for kind in (*kinds, rows[labels < 0])]
    return natural(np.concatenate(shares), generator)


def bucketed(
    rows: Rows, lengths: npt.NDArray[np.int64], batch_size: int, generator: torch.Generator
) -> list[Rows]:
    """Cut shuffled rows into batches of like length, so that little is padded; the batches' order is random.

    Rows are sorted within windows of 16 batches: likes meet, and yet no two epochs have the same batches.
    """
    window = 16 * batch_size
    batches: list[Rows] = []
    for start in range(0, len(rows), window):
        part = rows[start : start + window]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


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


def each_fold(folds: npt.NDArray[np.int64]) -> Iterator[tuple[int, Rows, Rows]]:
    """Yield (fold, rows outside it, rows inside it)."""
    for fold in range(int(folds.max()) + 1):
        yield fold, np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)

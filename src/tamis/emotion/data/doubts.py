"""What makes a training pointless, which is refused before any work, and what makes its figures doubtful, which is told."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tamis.emotion.data.folds import Rows

Categories = npt.NDArray[np.int64]


def refuse_one_category(categories: Sequence[str], agreed: Categories, folds: Categories) -> None:
    """Raise if all training rows, or all those outside one fold, are of one category.

    Parameters
    ----------
    categories : sequence of str
    agreed : shape (N,)
        Category of every training row; negative = no agreement.
    folds : shape (N,)
        Fold of every training row.
    """
    everything = present(agreed)
    if len(everything) < 2:
        found = (
            f"all are {categories[everything[0]]!r}"
            if len(everything)
            else "in none of them do the raters agree"
        )
        raise ValueError(
            f"training: the {len(agreed)} training rows do not have two categories: {found}. Look at the labels with "
            "`tamis emotion corpus`, or choose other rows (splits.train)."
        )
    for fold in range(int(folds.max()) + 1):
        left = present(agreed[folds != fold])
        if len(left) < 2:
            raise ValueError(
                f"training: without fold {fold} of {int(folds.max()) + 1} the training rows have "
                f"{len(left)} categor{'y' if len(left) == 1 else 'ies'}: speakers and categories coincide, so nothing can be "
                "learnt of one without the other. Train on more speakers, or ask for fewer folds (splits.folds)."
            )


def doubts(
    categories: Sequence[str], agreed: Categories, train: Rows, test: Rows, nameless: npt.NDArray[np.bool_]
) -> list[str]:
    """Notes on the original training rows and the test rows.

    Parameters
    ----------
    agreed : shape of the index (N,)
    train, test : Rows
    nameless : shape (len(train),)
        Rows without a speaker.
    """
    notes = []
    if nameless.any():
        notes.append(
            f"{nameless.sum()} of {len(nameless)} training rows have no speaker: each counts as a speaker of its own, so that "
            "folds may share a voice, and figures be too good"
        )
    if absent := [categories[i] for i in range(len(categories)) if i not in set(present(agreed[train]))]:
        notes.append(f"no training row of {', '.join(absent)}")
    if len(test) and len(present(agreed[test])) < 2:
        notes.append("the test rows are of one category or none: figures of them say little")
    return notes


def present(agreed: Categories) -> Categories:
    """Categories that occur, in order."""
    found: Categories = np.unique(agreed[agreed >= 0])
    return found

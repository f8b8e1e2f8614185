"""The many words for the same split, as for the same feeling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SPLITS: Final[Mapping[str, tuple[str, ...]]] = {
    "train": ("training", "trn", "train set", "training set"),
    "development": ("dev", "devel", "val", "valid", "validation", "dev set", "validation set"),
    "test": ("testing", "tst", "eval", "evaluation", "test set"),
}
NO_SPLIT = ("", "none", "nan", "na", "n/a", "null", "-")


def split_name(word: str) -> str:
    """The split that a corpus' word means: ``"Val"`` -> ``"development"``; a name of its own stays, in lower case.

    Empty, or a way of writing "none", is no split: ``""``.
    """
    plain = " ".join(word.lower().replace("_", " ").split())
    if plain in NO_SPLIT:
        return ""
    own = " ".join(word.lower().split())
    return next((name for name, words in SPLITS.items() if plain == name or plain in words), own)

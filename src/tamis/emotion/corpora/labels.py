"""The many words for the same feeling: what corpora write, and the category of this room that is meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Final

from tamis.emotion.corpora.categories import OTHER

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "angry": ("anger", "ang", "wütend", "ärger"),
    "sad": ("sadness",),
    "happy": ("happiness", "hap", "joy", "joyful"),
    "surprise": ("surprised", "sur", "astonished", "ps", "pleasant surprise", "pleasant surprised"),
    "fear": ("fearful", "fea", "anxiety", "anxious", "afraid", "scared"),
    "disgust": ("disgusted", "dis"),
    "contempt": ("contemptuous",),
    "neutral": ("neu", "neutral state", "neutrality"),
    "frustrated": ("frustration", "fru"),
    "excited": ("excitement", "exc"),
    "calm": ("calmness",),
    "bored": ("boredom",),
    "disappointed": ("disappointment", "dissapointed"),
    OTHER: ("others", "oth", "unknown"),
}

NO_LABEL: Final = ("", "nan", "none", "null", "n/a", "na", "-", "?", "no label", "unlabelled", "unlabeled")
ALIKE = 0.75
"""Similarity (:mod:`difflib`) from which on a word is taken for a slip of the pen."""


def category_of(word: str) -> str:
    """Category meant by a corpus' word: lower case, synonyms joined; a word of its own stays one.

    ``"Anger"`` -> ``"angry"``, ``"Other-confused"`` -> ``"other"``, ``"Relax"`` -> ``"relax"``.
    """
    plain = " ".join(word.lower().split())
    if plain.startswith(OTHER):
        return OTHER
    spoken = plain.replace("_", " ")
    return next((name for name, words in SYNONYMS.items() if spoken == name or spoken in words), plain)


def one_vote(word: str) -> dict[str, float]:
    """One vote for the category that a label means; none for an empty label and the ways of writing "none given"."""
    return {} if word.strip().lower() in NO_LABEL else {category_of(word): 1.0}


def meant_by(word: str, others: Collection[str] = ()) -> str | None:
    """The category that an unknown word resembles, one of ``others`` or of those known here; None for a known word."""
    known = {word: name for name, words in SYNONYMS.items() for word in (name, *words)} | {
        o: o for o in others
    }
    if word in known:
        return None
    close = difflib.get_close_matches(word, known, n=1, cutoff=ALIKE)
    return known[close[0]] if close else None

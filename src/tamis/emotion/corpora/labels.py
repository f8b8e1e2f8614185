"""The many words for the same feeling: what corpora write, and the category of this room that is meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tamis.emotion.corpora.categories import OTHER

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "angry": ("anger", "ang", "wütend", "ärger"),
    "sad": ("sadness",),
    "happy": ("happiness", "hap", "joy", "joyful"),
    "surprise": ("surprised", "sur", "astonished"),
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


def category_of(word: str) -> str:
    """Category meant by a corpus' word: lower case, synonyms joined; a word of its own stays one.

    ``"Anger"`` -> ``"angry"``, ``"Other-confused"`` -> ``"other"``, ``"Relax"`` -> ``"relax"``.
    """
    plain = word.strip().lower()
    if plain.startswith(OTHER):
        return OTHER
    return next((name for name, words in SYNONYMS.items() if plain == name or plain in words), plain)

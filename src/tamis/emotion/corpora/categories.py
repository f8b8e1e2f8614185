"""The words of speech emotion, in the order in which every vector of this room counts them.

Corpora may have categories of their own (RAVDESS has *calm* and lacks *contempt*); a feature set then says which, and in
which order (:mod:`tamis.emotion.data.feature_set`). These are the eight of MSP-Podcast and of the Interspeech 2025 challenge.
"""

from typing import Final

CATEGORIES: Final[tuple[str, ...]] = (
    "angry",
    "sad",
    "happy",
    "surprise",
    "fear",
    "disgust",
    "contempt",
    "neutral",
)
OTHER: Final = "other"
"""Name under which votes outside the categories are counted."""

ATTRIBUTES: Final[tuple[str, ...]] = ("valence", "arousal", "dominance")
ATTRIBUTE_RANGE: Final[tuple[float, float]] = (1.0, 7.0)

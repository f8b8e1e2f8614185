"""From a member's kind to its model, for training and for prediction alike."""

from collections.abc import Mapping

from tamis.emotion.architecture import Architecture
from tamis.emotion.deepser import DeepSER
from tamis.emotion.ridge import RidgeSER


def new_member(
    kind: str, streams: Mapping[str, tuple[int, int | None]], categories: int, architecture: Architecture
) -> DeepSER | RidgeSER:
    """An untrained member of ``kind`` "deep" or "ridge" for ``streams`` (name to dim and layers)."""
    if kind == "deep":
        return DeepSER(streams, categories, architecture)
    if kind == "ridge":
        return RidgeSER(streams, categories)
    raise ValueError(f"new_member: kind {kind!r}; expected 'deep' or 'ridge'.")

"""From a member's kind to its model, for training and for prediction alike."""

from collections.abc import Mapping

from tamis.emotion.network.deepser import DeepSER
from tamis.emotion.network.ridge import RidgeSER
from tamis.emotion.network.settings import Architecture


def new_member(
    kind: str, streams: Mapping[str, tuple[int, int | None]], categories: int, architecture: Architecture
) -> DeepSER | RidgeSER:
    """An untrained member of ``kind`` "deep" or "ridge" for ``streams`` (name to dim and layers)."""
    if kind == "deep":
        return DeepSER(streams, categories, architecture)
    if kind == "ridge":
        return RidgeSER(streams, categories)
    raise ValueError(f"new_member: kind {kind!r}; expected 'deep' or 'ridge'.")

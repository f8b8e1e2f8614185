"""From a member's kind to its model, for training and for prediction alike."""

from collections.abc import Mapping

from tamis.emotion.architecture import Architecture
from tamis.emotion.deepser import DeepSER
from tamis.emotion.linear import LinearSER


def new_member(
    kind: str, streams: Mapping[str, tuple[int, int | None]], categories: int, architecture: Architecture
) -> DeepSER | LinearSER:
    """An untrained member of ``kind`` "deep" or "linear" for ``streams`` (name to dim and layers)."""
    if kind == "deep":
        return DeepSER(streams, categories, architecture)
    if kind == "linear":
        return LinearSER(streams, categories, architecture.input_dropout)
    raise ValueError(f"new_member: kind {kind!r}; expected 'deep' or 'linear'.")

"""The emotion suite: how long a trained recogniser takes, and how well one does on RAVDESS."""

from tamis.bench.emotion.predict import measure

__all__ = ["measure"]

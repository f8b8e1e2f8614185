"""Speech emotion recognition: MEDUSA, trained in four stages, with streams that work offline.

``load`` opens a trained recogniser; everything else is imported from its own module (``corpora``, ``streams``, ``train``,
``evaluate``, ``metrics`` …). What a call needs beyond the base install comes with ``pip install 'tamis[emotion]'``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tamis.emotion.predict.recogniser import Recogniser

__all__ = ["load"]


def load(where: str | Path, transcriber: str | None = "whisper-tiny.en") -> Recogniser:
    """Load a recogniser from the folder that training wrote; see :func:`tamis.emotion.predict.recogniser.load`."""
    from tamis.emotion.predict import recogniser

    return recogniser.load(where, transcriber)

"""Speech emotion recognition: MEDUSA, trained in four stages, with streams that work offline.

``load`` opens a trained recogniser. The rooms, each used through its own ``__init__``, and only by those to its right:
``signal`` < ``corpora`` < ``data`` < ``streams``, ``network`` < ``predict`` < ``train`` < ``evaluation``. What a call needs beyond the base install comes with ``pip install 'tamis[emotion]'``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tamis.emotion.predict import Recogniser

__all__ = ["load"]


def load(where: str | Path, transcriber: str | None = "whisper-tiny.en") -> Recogniser:
    """Load a recogniser from the folder that training wrote; see :func:`tamis.emotion.predict.load`."""
    from tamis.emotion import predict

    return predict.load(where, transcriber)

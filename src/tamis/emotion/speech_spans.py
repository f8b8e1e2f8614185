"""A corpus without the silence around its speech: what recordings in use are cut down to, too (``recogniser.py``)."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tamis.emotion.audio import AudioError, read_audio
from tamis.emotion.corpora.table import Corpus
from tamis.emotion.vad import speech_segments


def speech_only(corpus: Corpus, progress: Callable[[int, int], None] | None = None) -> Corpus:
    """The same utterances with ``start_s`` and ``end_s`` around their first and last speech.

    Where no speech is found, or the audio cannot be read, a row stays as it is. ``progress`` receives rows done and rows in all.
    """
    table = corpus.table.copy()
    starts, ends = np.empty(len(table)), np.empty(len(table))
    for row, (start_s, end_s) in enumerate(zip(table["start_s"], table["end_s"], strict=True)):
        starts[row], ends[row] = _span(corpus, row, start_s, end_s)
        if progress:
            progress(row + 1, len(table))
    return replace(corpus, table=table.assign(start_s=starts, end_s=ends))


def _span(corpus: Corpus, row: int, start_s: float, end_s: float) -> tuple[float, float]:
    first_s = 0.0 if np.isnan(start_s) else start_s
    try:
        samples = read_audio(corpus.audio_path(row), first_s, None if np.isnan(end_s) else end_s)
    except (OSError, AudioError):
        return start_s, end_s
    segments = speech_segments(samples)
    return (first_s + segments[0][0], first_s + segments[-1][1]) if segments else (start_s, end_s)

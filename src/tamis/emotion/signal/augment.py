"""Augmentations of recordings: other speeds, other voices, other rooms' noise; 16 kHz samples in, 16 kHz samples out.

A variant is an utterance of its own in the feature set (columns ``variant`` and ``source``), used in training only. Those that
change the voice stand in for speakers that the corpus does not have.
"""

import numpy as np

from tamis.emotion.signal.sound import SAMPLE_RATE_HZ, Samples

STRETCH_HOP, STRETCH_SEARCH = 240, 160
"""Half a window (15 ms), and how far (10 ms) it is moved either way, in samples."""


def speed(samples: Samples, factor: float) -> Samples:
    """Played ``factor`` times as fast: shorter, and pitch and formants higher, for factors above 1."""
    import soxr

    played: Samples = soxr.resample(samples, SAMPLE_RATE_HZ * factor, SAMPLE_RATE_HZ).astype(np.float32)
    return played if len(played) else samples[:1]


def tempo(samples: Samples, factor: float) -> Samples:
    """``factor`` times as fast, at the same pitch, by overlapping windows that are moved to where they fit (WSOLA [1]).

    References
    ----------
    [1] Verhelst, Roelands. An overlap-add technique based on waveform similarity for high quality time-scale modification
        of speech. ICASSP 1993.
    """
    count = round(len(samples) / factor) // STRETCH_HOP
    if count < 2:
        return samples
    window = np.hanning(2 * STRETCH_HOP + 1)[:-1]
    padded = np.pad(samples, (STRETCH_SEARCH, 4 * STRETCH_HOP + STRETCH_SEARCH)).astype(np.float64)
    stretched = np.zeros((count + 1) * STRETCH_HOP)
    place = STRETCH_SEARCH
    for k in range(count):
        stretched[k * STRETCH_HOP : (k + 2) * STRETCH_HOP] += window * padded[place : place + 2 * STRETCH_HOP]
        wanted = padded[place + STRETCH_HOP : place + 3 * STRETCH_HOP]
        target = min(round((k + 1) * STRETCH_HOP * factor), len(samples))
        around = padded[target : target + 2 * STRETCH_SEARCH + 2 * STRETCH_HOP]
        place = target + int(np.correlate(around, wanted, mode="valid").argmax())
    return stretched[: round(len(samples) / factor)].astype(np.float32)


def voice(samples: Samples, factor: float) -> Samples:
    """Another voice at the same tempo: pitch and formants times ``factor``, as of a smaller or a larger speaker."""
    return tempo(speed(samples, factor), 1 / factor)


def noise(samples: Samples, ratio_db: float, rng: np.random.Generator) -> Samples:
    """White noise added, ``ratio_db`` below the recording's mean power."""
    level = np.sqrt(np.mean(np.square(samples, dtype=np.float64))) * 10 ** (-ratio_db / 20)
    noisy: Samples = (samples + level * rng.standard_normal(len(samples))).astype(np.float32)
    return noisy

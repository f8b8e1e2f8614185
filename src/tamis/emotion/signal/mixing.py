"""From blocks of channels to mono at 16 kHz."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tamis.emotion.signal.sound import SAMPLE_RATE_HZ, Blocks, Samples

CLIPPED_FROM, CLIPPED_TO = 0.999, 1.001
CLIPPED_RUN: Final = 3


@dataclass
class Mixer:
    """Scales blocks, mixes their channels, and counts clipped samples on the way.

    Attributes
    ----------
    weights : ndarray, shape (C,)
        Share of each channel; those of weight 0 are not looked at.
    scale : float
        The value that stands for full scale.
    ceiling : float
        The largest share of full scale that the encoding can hold.
    clipped : int
        Samples so far, of the channel that has most.
    """

    weights: NDArray[np.float32]
    scale: float
    ceiling: float
    clipped: int = 0

    def mono(self, blocks: Blocks) -> Blocks:
        used = self.weights > 0
        for block in blocks:
            scaled: Samples = block[:, used] / np.float32(self.scale)
            self.clipped += clipped_samples(scaled / np.float32(self.ceiling))
            yield np.asarray(scaled @ self.weights[used], np.float32)


def clipped_samples(block: Samples) -> int:
    """Samples at full scale in runs of at least three, of the channel that has most: what an overdriven input leaves."""
    level = np.abs(block)
    full = (level >= CLIPPED_FROM) & (level <= CLIPPED_TO)
    if not full.any():
        return 0
    edges = np.zeros((1, block.shape[1]), bool)
    turns = np.diff(np.concatenate((edges, full, edges)).view(np.int8), axis=0)
    counts = []
    for channel in turns.T:
        runs = np.flatnonzero(channel == -1) - np.flatnonzero(channel == 1)
        counts.append(int(runs[runs >= CLIPPED_RUN].sum()))
    return max(counts)


def resampled(blocks: Blocks, rate_hz: float) -> Blocks:
    """The same sound at 16 kHz."""
    if rate_hz == SAMPLE_RATE_HZ:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)

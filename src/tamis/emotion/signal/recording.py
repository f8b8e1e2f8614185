"""A recording as mono at 16 kHz, with what should be known of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

import numpy as np

from tamis.emotion.signal.inputs import HELD_BYTES
from tamis.emotion.signal.sound import SAMPLE_RATE_HZ, AudioError, Blocks, Samples

STORED = np.dtype(np.float32)


INAUDIBLE = 2e-4


def is_audible(samples: Samples) -> bool:
    """Whether anything sounds: the samples differ by more than digital silence, or a constant, does."""
    return swings(float(samples.min()), float(samples.max()))


def swings(low: float, high: float) -> bool:
    return high - low >= INAUDIBLE


class Store:
    """Mono samples, in memory or, when there are many, in a temporary file that goes with this object."""

    def __init__(self, blocks: Iterable[Samples]) -> None:
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(HELD_BYTES)  # noqa: SIM115
        self.count, self.low, self.high = 0, np.inf, -np.inf
        for block in blocks:
            if len(block):
                self.file.write(block.tobytes())
                self.count += len(block)
                self.low, self.high = min(self.low, float(block.min())), max(self.high, float(block.max()))

    def read(self, first: int, end: int) -> Samples:
        part = np.empty(max(min(end, self.count) - first, 0), STORED)
        self.file.seek(first * STORED.itemsize)
        self.file.readinto(part.data.cast("B"))  # type: ignore[attr-defined]
        return part


@dataclass(frozen=True)
class Recording:
    """A recording that was read.

    Attributes
    ----------
    source : str
        The path as it was given, the name of the stream, ``"bytes"`` or ``"array"``.
    store : Store
    notes : tuple of str
        What was done with channels and scale; clipping.
    doubts : tuple of str
        Why an answer would not be trustworthy: cut short, very short.
    nothing : str
        Why there is nothing to recognise in it (silence, shorter than 25 ms); empty otherwise.
    missing_s : float
        How much shorter it is than its header says.
    """

    source: str
    store: Store
    notes: tuple[str, ...]
    doubts: tuple[str, ...]
    nothing: str
    missing_s: float

    @property
    def duration_s(self) -> float:
        return self.store.count / SAMPLE_RATE_HZ

    def complete(self) -> Recording:
        """Itself, for those who learn from it.

        Raises
        ------
        AudioError   if it is shorter than its header says.
        """
        if self.missing_s:
            raise AudioError(f"read_audio({self.source}): {self.doubts[0]}.")
        return self

    def samples(self, start_s: float = 0.0, end_s: float | None = None) -> Samples:
        """Samples of a part, at least one; without an end, up to the last."""
        first = min(round(start_s * SAMPLE_RATE_HZ), self.store.count - 1)
        end = self.store.count if end_s is None else round(end_s * SAMPLE_RATE_HZ)
        return self.store.read(first, max(end, first + 1))

    def blocks(self, length: int) -> Blocks:
        """All samples in order, ``length`` at a time; the last block may be shorter."""
        return (self.store.read(first, first + length) for first in range(0, self.store.count, length))

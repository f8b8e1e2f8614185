"""What is read: blocks of frames as they were recorded, from a file's decoder or an array, as often as wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ: Final = 16_000
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000
BLOCK: Final = 4096
"""Frames of a block: so many, at most, are lost where a decoder fails."""

Samples = NDArray[np.float32]
Blocks = Iterator[Samples]


class AudioError(ValueError):
    """The file, stream or array is not usable audio; the message says why and what would help."""


class DecoderError(AudioError):
    """The decoder cannot go on; what came before is sound."""


@dataclass(frozen=True)
class Sound:
    """A recording that was opened, not yet read.

    Attributes
    ----------
    source : str
    rate_hz : float
    channels : int
    frames : int or None
        As the header says; None where it does not say.
    endless : bool
        The stream lacks its mark of the end.
    full_scale : float or None
        The value that stands for full scale; None where the samples themselves must tell.
    bits : int or None
        Width of integers that may hold narrower samples.
    ceiling : float
        The largest share of full scale that the encoding can hold.
    centre : int or None
        The channel in which films put speech, where the layout has one.
    blocks : callable
        ``blocks(first, count)`` yields frames as float32, shape (at most BLOCK, channels), ``count=None`` to the end.
    """

    source: str
    rate_hz: float
    channels: int
    frames: int | None
    blocks: Callable[[int, int | None], Blocks]
    full_scale: float | None = 1.0
    bits: int | None = None
    ceiling: float = 1.0
    centre: int | None = None
    endless: bool = False


def checked_rate(rate_hz: object, source: str) -> float:
    """A sample rate as a number of Hz, or an error that says what is wrong with it."""
    value = rate_hz.item() if hasattr(rate_hz, "item") else rate_hz
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise AudioError(f"{source}: sample_rate_hz={rate_hz!r}; expected a number of Hz, such as 16000.")
    if not LOWEST_RATE_HZ <= value <= HIGHEST_RATE_HZ:
        hint = " It is given in Hz, not kHz." if 8 <= value <= 192 else ""
        raise AudioError(f"{source}: a sample rate of {value} Hz is no speech recording.{hint}")
    return float(value)

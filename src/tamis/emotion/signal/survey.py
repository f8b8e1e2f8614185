"""What must be known of a whole recording before it is mixed to one channel: its length, its scale, how its channels relate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tamis.emotion.signal.sound import AudioError, DecoderError, Sound

SILENT: Final = 1e-4
"""A channel of less than this share of the loudest one's power is silent."""
CENTRE_HEARD: Final = 1e-3
HOT: Final = 4.0
"""Floats up to this are taken for overdriven samples of full scale 1; only whole numbers may then be integers instead."""
INTEGERS_FROM: Final = 64.0
WIDTHS: Final = (16, 24, 32)


@dataclass(frozen=True)
class Survey:
    """Frames that could be read, their largest magnitude, whether all are whole numbers, and the channels' covariance (C, C).

    ``stopped`` says why the decoder could not go on, where it could not.
    """

    frames: int
    bad: int
    peak: float
    whole: bool
    covariance: NDArray[np.float64]
    stopped: str


def survey(sound: Sound, first: int, count: int | None) -> Survey:
    """Read the part of a recording once, in blocks."""
    frames, bad, peak, whole, stopped = 0, 0, 0.0, True, ""
    total, products = np.zeros(sound.channels), np.zeros((sound.channels, sound.channels))
    try:
        for block in sound.blocks(first, count):
            frames += len(block)
            high = float(max(block.max(), -block.min()))
            if not np.isfinite(high):
                bad += int(np.count_nonzero(~np.isfinite(block)))
                continue
            peak = max(peak, high)
            whole = whole and sound.full_scale is None and bool((block == np.rint(block)).all())
            wide = block.astype(np.float64)
            total += wide.sum(axis=0)
            products += wide.T @ wide
    except DecoderError as error:
        stopped = str(error)
    mean = total / max(frames, 1)
    return Survey(frames, bad, peak, whole, products / max(frames, 1) - np.outer(mean, mean), stopped)


def channel_weights(covariance: NDArray[np.float64], centre: int | None) -> tuple[NDArray[np.float32], str]:
    """How the channels are mixed, shape (C,), and what should be said of it.

    The centre, where the layout has one and somebody is heard there; else the mean of the channels that are not
    silent; else, where these cancel each other, the loudest.
    """
    power = np.diag(covariance)
    channels = len(power)
    if channels == 1 or not power.max() > 0:
        return np.full(channels, 1 / channels, np.float32), ""
    if centre is not None and power[centre] > CENTRE_HEARD * power.max():
        return one(
            centre, channels
        ), f"of {channels} channels, the centre alone (number {centre + 1}) was used"
    live = power > SILENT * power.max()
    mean = live / live.sum()
    if mean @ covariance @ mean < power[live].mean() / (
        2 * live.sum()
    ):  # less than half of what unrelated sounds leave
        loudest = int(np.argmax(power > 0.99 * power.max()))  # the first of several
        return one(
            loudest, channels
        ), f"the {channels} channels cancel each other: number {loudest + 1} alone was used"
    silent = ", ".join(str(i + 1) for i in np.flatnonzero(~live))
    return mean.astype(np.float32), f"silent channels were left out: {silent} of {channels}" if silent else ""


def one(channel: int, channels: int) -> NDArray[np.float32]:
    weights = np.zeros(channels, np.float32)
    weights[channel] = 1.0
    return weights


def scale_of(seen: Survey, sound: Sound) -> tuple[float, str]:
    """The value that stands for full scale, and what should be said of it.

    Raises
    ------
    AudioError   where the samples fit no scale.
    """
    if sound.full_scale is not None:
        return sound.full_scale, ""
    if sound.bits is None and (seen.peak <= 1.0 or (seen.peak <= HOT and not seen.whole)):
        return 1.0, f"samples reach {seen.peak:.2f}, beyond full scale" if seen.peak > 1.0 else ""
    width = next((w for w in WIDTHS if seen.peak <= 2.0 ** (w - 1)), None)
    if width is None or (seen.peak < INTEGERS_FROM and not seen.whole):
        raise AudioError(
            f"read_audio({sound.source}): samples reach {seen.peak:.4g}, which is neither floats in -1..1 nor integers "
            "of a usual width; divide them by their full scale."
        )
    note = f"samples reach {seen.peak:.0f}: they were taken for {width}-bit integers"
    return 2.0 ** (width - 1), "" if width == sound.bits or seen.peak == 0 else note

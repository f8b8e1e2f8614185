"""Variants of a recording for training: speed, pitch, noise and level, the same ones in every run.

A variant is named by what it does: ``speed0.9`` (slower and lower, as a tape), ``pitch+2`` (semitones, same length),
``noise15`` (white noise, 15 dB below the speech), ``gain-6`` (dB).
"""

from __future__ import annotations

import hashlib
import re

import numpy as np

from tamis.emotion.audio import SAMPLE_RATE_HZ, Samples

NAME = re.compile(r"(speed|pitch|noise|gain)([+-]?\d+(?:\.\d+)?)")
LIMITS = {"speed": (0.5, 2.0), "pitch": (-12.0, 12.0), "noise": (-10.0, 60.0), "gain": (-40.0, 40.0)}
WINDOW, HOP = 1024, 256


def parse_variant(name: str) -> tuple[str, float]:
    """Kind and amount of a variant.

    Raises
    ------
    ValueError   for an unknown kind, or an amount out of its range.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"variant {name!r}: expected such as speed0.9, pitch+2, noise15 or gain-6.")
    kind, amount = match[1], float(match[2])
    low, high = LIMITS[kind]
    if not low <= amount <= high:
        raise ValueError(f"variant {name!r}: {kind} goes from {low:g} to {high:g}.")
    return kind, amount


def augment(samples: Samples, variant: str, seed: str = "") -> Samples:
    """Apply a variant to a clip; the empty name leaves it as it is.

    Parameters
    ----------
    samples : ndarray, shape (n,), 16 kHz
    variant : str
    seed : str
        Noise depends on this and on the variant only.
    """
    if not variant:
        return samples
    kind, amount = parse_variant(variant)
    if kind == "speed":
        return change_speed(samples, amount)
    if kind == "pitch":
        return change_pitch(samples, amount)
    if kind == "noise":
        return add_noise(samples, amount, f"{seed} {variant}")
    return (samples * 10.0 ** (amount / 20.0)).astype(np.float32)


def change_speed(samples: Samples, factor: float) -> Samples:
    """Play ``factor`` times as fast, pitch and all."""
    import soxr

    rate_hz = round(SAMPLE_RATE_HZ * factor)
    faster: Samples = soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ)
    return faster if faster.size else samples[:1]


def change_pitch(samples: Samples, semitones: float) -> Samples:
    """Raise the pitch, keep length and level: stretch in time, then play faster.

    The vocoder's bins drift out of phase, which costs a decibel or two; loudness tells emotions apart, so it is given back.
    """
    factor = 2.0 ** (semitones / 12.0)
    shifted = change_speed(stretch(samples, factor), factor)
    shifted = shifted * np.float32(loudness(samples) / max(loudness(shifted), 1e-9))
    return np.pad(shifted, (0, max(0, len(samples) - len(shifted))))[: len(samples)]


def loudness(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def stretch(samples: Samples, factor: float) -> Samples:
    """Make a clip ``factor`` times as long at the same pitch, with a phase vocoder."""
    window = np.hanning(WINDOW + 1)[:-1]
    padded = np.pad(samples, (WINDOW, 2 * WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * window
    spectra = np.fft.rfft(frames)
    places = np.arange(0, len(spectra) - 1, 1.0 / factor)
    before = places.astype(int)
    part = (places - before)[:, None]
    size = (1 - part) * np.abs(spectra[before]) + part * np.abs(spectra[before + 1])
    expected = 2 * np.pi * HOP * np.arange(WINDOW // 2 + 1) / WINDOW
    turn = np.angle(spectra[before + 1]) - np.angle(spectra[before]) - expected
    advance = expected + turn - 2 * np.pi * np.round(turn / (2 * np.pi))
    phase = np.angle(spectra[0]) + np.concatenate(
        [np.zeros((1, advance.shape[1])), np.cumsum(advance[:-1], axis=0)]
    )
    return overlap_add(
        np.fft.irfft(size * np.exp(1j * phase)) * window, window, round(WINDOW * factor), len(samples), factor
    )


def overlap_add(frames: np.ndarray, window: np.ndarray, skip: int, length: int, factor: float) -> Samples:
    total = np.zeros((len(frames) - 1) * HOP + WINDOW)
    weight = np.zeros_like(total)
    for i, frame in enumerate(frames):
        total[i * HOP : i * HOP + WINDOW] += frame
        weight[i * HOP : i * HOP + WINDOW] += window**2
    joined = total / np.maximum(weight, 1e-3)
    return joined[skip : skip + max(1, round(length * factor))].astype(np.float32)


def add_noise(samples: Samples, ratio_db: float, seed: str) -> Samples:
    """White noise, ``ratio_db`` below the clip's mean power; silence stays silence."""
    number = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest())
    noise = np.random.default_rng(number).standard_normal(len(samples))
    level = loudness(samples) * 10.0 ** (-ratio_db / 20.0)
    return (samples + level * noise).astype(np.float32)

"""Low-level descriptors: pitch, energy and spectral shape, 50 frames a second, in plain numpy.

The idea of eGeMAPS [1] (few, interpretable, voice-related descriptors), not its numbers.

References
----------
[1] Eyben et al. The Geneva Minimalistic Acoustic Parameter Set. IEEE Trans. Affective Computing 7(2), 2016.
[2] Boersma. Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled
    sound. IFA Proceedings 17, 1993.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tamis.emotion.data import StreamInfo
from tamis.emotion.signal import SAMPLE_RATE_HZ, Samples
from tamis.emotion.streams.encoder import pooled, source

Floats = NDArray[np.floating[Any]]

HOP, WINDOW, SPECTRUM = 320, 640, 1024
"""Samples between frames (20 ms), under a frame (40 ms), and of its spectrum."""
LOWEST_F0_HZ, HIGHEST_F0_HZ = 60.0, 800.0
SEMITONES_FROM_HZ = 27.5
VOICED_ABOVE = 0.45
OCTAVE_COST, JUMP_COST, VOICING_COST = 0.02, 0.35, 0.2
CANDIDATES, CEPSTRA, MELS = 6, 13, 26
QUIET_DB = -100.0

NAMES: Final = (
    "pitch_semitones",
    "voiced",
    "periodicity",
    "harmonics_to_noise_db",
    "pitch_slope",
    "energy_db",
    "energy_relative_db",
    "energy_slope",
    "zero_crossings",
    "centroid_khz",
    "spread_khz",
    "rolloff_khz",
    "flatness_db",
    "flux",
    "alpha_ratio_db",
    "hammarberg_db",
    "slope_0_500",
    "slope_500_1500",
    *(f"cepstrum_{i}" for i in range(1, CEPSTRA)),
)


class LowLevelStream:
    """Descriptors named in :data:`NAMES`, averaged over ``pool`` frames of 20 ms."""

    def __init__(self, pool: int = 1) -> None:
        self.pool = pool
        self.info = StreamInfo(
            dim=len(NAMES),
            layers=None,
            frame_rate_hz=50.0 / pool,
            extra=source("audio", encoder="low-level", pool=pool),
        )
        self.recipe = f"low-level/1 pool={pool}"

    def encode(self, clips: Sequence[Samples]) -> list[Tensor]:
        return [pooled(torch.from_numpy(describe(clip)), self.pool) for clip in clips]


def describe(samples: Samples) -> NDArray[np.float32]:
    """All descriptors of a clip.

    Parameters
    ----------
    samples : ndarray, shape (n,), 16 kHz

    Returns
    -------
    ndarray, shape (max(1, n // 320), 30), float32
        Finite for every finite input, silence included.
    """
    frames = cut_frames(samples)
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), SPECTRUM)) ** 2 / WINDOW
    energy = decibel(np.mean(frames**2, axis=1))
    columns = [
        *pitch_columns(frames, energy),
        *energy_columns(energy, frames),
        *spectral_columns(power),
        *cepstra(power).T,
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def cut_frames(samples: Samples) -> Floats:
    """Overlapping frames (count, 640) without their mean, centred every 20 ms."""
    count = max(1, len(samples) // HOP)
    padded = np.zeros((count + 1) * HOP + WINDOW)
    start = (WINDOW - HOP) // 2
    padded[start : start + len(samples)] = samples[: len(padded) - start]
    frames: Floats = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[: count * HOP : HOP]
    centred: Floats = frames - frames.mean(axis=1, keepdims=True)
    return centred


def decibel(power: Floats) -> Floats:
    return np.maximum(10.0 * np.log10(np.maximum(power, 1e-30)), QUIET_DB)


def slope(values: Floats) -> Floats:
    """Regression slope over five frames, per frame."""
    padded = np.pad(values, 2, mode="edge")
    return (2 * (padded[4:] - padded[:-4]) + (padded[3:-1] - padded[1:-3])) / 10.0


def energy_columns(energy: Floats, frames: Floats) -> list[Floats]:
    loud = np.percentile(energy, 95)
    crossings = np.mean(frames[:, 1:] * frames[:, :-1] < 0, axis=1)
    return [energy / 10.0, (energy - loud) / 10.0, slope(energy), crossings]


def pitch_columns(frames: Floats, energy: Floats) -> list[Floats]:
    """Pitch track (semitones above 27.5 Hz, carried through unvoiced frames), voicing, strength, HNR, slope."""
    lags, strength = pitch_candidates(frames)
    audible = (energy > -70.0) & (energy > energy.max() - 45.0)
    best = best_path(lags, np.where(audible[:, None], strength, 0.0))
    rows = np.arange(len(frames))
    periodicity = np.clip(strength[rows, np.minimum(best, CANDIDATES - 1)], 0.0, 0.9999)
    voiced = best < CANDIDATES
    semitones = 12.0 * np.log2(
        SAMPLE_RATE_HZ / lags[rows, np.minimum(best, CANDIDATES - 1)] / SEMITONES_FROM_HZ
    )
    track = carried(semitones, voiced)
    hnr = np.where(voiced, decibel(periodicity / (1.0 - periodicity)), 0.0)
    return [
        track / 12.0,
        voiced.astype(float),
        periodicity,
        np.maximum(hnr, 0.0) / 10.0,
        slope(track) * voiced,
    ]


def pitch_candidates(frames: Floats) -> tuple[Floats, Floats]:
    """The best peaks of the normalised autocorrelation [2]: lags in samples and strengths, both (T, 6)."""
    window = np.hanning(WINDOW)
    size = 2 * SPECTRUM
    of_window = np.fft.irfft(np.abs(np.fft.rfft(window, size)) ** 2)[: WINDOW // 2 + 2]
    spectra = np.abs(np.fft.rfft(frames * window, size)) ** 2
    correlation = np.fft.irfft(spectra)[:, : WINDOW // 2 + 2]
    normal = correlation / np.maximum(correlation[:, :1], 1e-20) / (of_window / of_window[0])
    first, last = int(SAMPLE_RATE_HZ / HIGHEST_F0_HZ), int(SAMPLE_RATE_HZ / LOWEST_F0_HZ) + 1
    before, here, after = (normal[:, first + d : last + d] for d in (-1, 0, 1))
    peaks = np.where((here > before) & (here >= after), here, -np.inf)
    lower_is_dearer = OCTAVE_COST * np.log2(np.arange(first, last))
    columns = np.argsort(lower_is_dearer - peaks, axis=1)[:, :CANDIDATES]
    left, mid, right, peak = (np.take_along_axis(v, columns, axis=1) for v in (before, here, after, peaks))
    curve = left - 2 * mid + right
    shift = np.where(curve < 0, 0.5 * (left - right) / np.minimum(curve, -1e-12), 0.0)
    strength = np.where(np.isfinite(peak), mid - 0.25 * (left - right) * shift, 0.0)
    return columns + first + np.clip(shift, -0.5, 0.5), np.clip(strength, 0.0, 1.0)


def best_path(lags: Floats, strength: Floats) -> NDArray[np.intp]:
    """Cheapest path through the candidates, as in [2]; the number CANDIDATES stands for "unvoiced"."""
    octaves = np.log2(lags / lags.min())
    cost = np.concatenate([OCTAVE_COST * octaves - strength, np.full((len(lags), 1), -VOICED_ABOVE)], axis=1)
    total = cost[0]
    back = np.zeros(cost.shape, dtype=np.intp)
    for t in range(1, len(cost)):
        step = np.full((CANDIDATES + 1, CANDIDATES + 1), VOICING_COST)
        step[:-1, :-1] = JUMP_COST * np.abs(octaves[t - 1][:, None] - octaves[t][None, :])
        step[-1, -1] = 0.0
        arrival = total[:, None] + step
        back[t] = arrival.argmin(axis=0)
        total = arrival.min(axis=0) + cost[t]
    path = np.zeros(len(cost), dtype=np.intp)
    path[-1] = total.argmin()
    for t in range(len(cost) - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path


def carried(values: Floats, valid: NDArray[np.bool_]) -> Floats:
    """``values`` where valid, straight lines between; zero where nothing is valid."""
    if not valid.any():
        return np.zeros_like(values)
    places = np.flatnonzero(valid)
    return np.interp(np.arange(len(values)), places, values[places])


def spectral_columns(power: Floats) -> list[Floats]:
    """Shape of the power spectrum between 50 Hz and 8 kHz."""
    hz = np.fft.rfftfreq(SPECTRUM, 1.0 / SAMPLE_RATE_HZ)
    band = hz >= 50.0
    khz, p = hz[band] / 1000.0, power[:, band] + 1e-16
    share = p / p.sum(axis=1, keepdims=True)
    centroid = share @ khz
    spread = np.sqrt(np.maximum(share @ khz**2 - centroid**2, 0.0))
    rolloff = khz[np.argmax(np.cumsum(share, axis=1) >= 0.85, axis=1)]
    flatness = decibel(np.exp(np.log(p).mean(axis=1)) / p.mean(axis=1))
    root = np.sqrt(share)
    flux = np.concatenate([[0.0], np.linalg.norm(np.diff(root, axis=0), axis=1)])
    alpha = between(p, khz, 1.0, 5.0, np.sum) - between(p, khz, 0.05, 1.0, np.sum)
    hammarberg = between(p, khz, 0.0, 2.0, np.max) - between(p, khz, 2.0, 5.0, np.max)
    slopes = [spectral_slope(p, khz, low, high) for low, high in ((0.0, 0.5), (0.5, 1.5))]
    return [centroid, spread, rolloff, flatness / 10.0, flux, alpha / 10.0, hammarberg / 10.0, *slopes]


def between(p: Floats, khz: Floats, low: float, high: float, reduce) -> Floats:  # type: ignore[no-untyped-def]
    return decibel(reduce(p[:, (khz >= low) & (khz < high)], axis=1))


def spectral_slope(p: Floats, khz: Floats, low: float, high: float) -> Floats:
    """Regression slope of the spectrum in dB per 100 Hz between two frequencies in kHz."""
    inside = (khz >= low) & (khz < high)
    x = khz[inside] - khz[inside].mean()
    fitted: Floats = decibel(p[:, inside]) @ x / (x @ x) / 10.0
    return fitted


def cepstra(power: Floats) -> Floats:
    """Mel-frequency cepstral coefficients 1 to 12, (T, 12)."""
    energies = decibel(power @ mel_filters().T) / 10.0
    angles = np.pi * np.outer(np.arange(1, CEPSTRA), np.arange(MELS) + 0.5) / MELS
    transformed: Floats = energies @ (np.cos(angles) * np.sqrt(2.0 / MELS)).T
    return transformed


def mel_filters() -> Floats:
    """Triangular filters (26, 513), equally spaced in mel from 20 Hz to 8 kHz."""
    top = 2595.0 * np.log10(1.0 + np.array([20.0, 8000.0]) / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(top[0], top[1], MELS + 2) / 2595.0) - 1.0)
    hz = np.fft.rfftfreq(SPECTRUM, 1.0 / SAMPLE_RATE_HZ)
    rising = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    triangles: Floats = np.maximum(0.0, np.minimum(rising, falling))
    return triangles

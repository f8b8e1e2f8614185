"""Variants do what their name says, and the same thing every time."""

import numpy as np
import pytest

pytest.importorskip("soxr")

from tamis.emotion.streams.augment import augment, parse_variant

RATE = 16_000


def tone(pitch_hz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * pitch_hz * np.arange(round(seconds * RATE)) / RATE)).astype("float32")


def peak_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * RATE / len(samples))


@pytest.mark.parametrize(("variant", "ratio"), [("speed0.9", 0.9), ("speed1.1", 1.1), ("speed2", 2.0)])
def test_speed_changes_length_and_pitch(variant, ratio):
    got = augment(tone(400.0), variant)
    assert len(got) == pytest.approx(RATE / ratio, abs=2)
    assert peak_hz(got) == pytest.approx(400.0 * ratio, rel=0.01)


@pytest.mark.parametrize("semitones", [-4, -1, 2, 7])
def test_pitch_keeps_the_length(semitones):
    got = augment(tone(400.0), f"pitch{semitones:+d}")
    assert len(got) == RATE
    assert peak_hz(got[2000:-2000]) == pytest.approx(400.0 * 2 ** (semitones / 12), rel=0.01)
    assert np.sqrt(np.mean(got[2000:-2000] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.15)


def test_noise_has_the_named_level_and_is_the_same_every_time():
    clip = tone(400.0)
    once, twice = augment(clip, "noise15", "a"), augment(clip, "noise15", "a")
    assert np.array_equal(once, twice)
    assert not np.array_equal(once, augment(clip, "noise15", "b"))
    noise = once - clip
    assert 10 * np.log10(np.mean(clip**2) / np.mean(noise**2)) == pytest.approx(15, abs=0.3)


def test_gain_is_in_decibels():
    assert np.allclose(augment(tone(400.0), "gain-6"), tone(400.0) * 10 ** (-0.3), atol=1e-6)


@pytest.mark.parametrize("variant", ["speed0.9", "pitch+2", "pitch-2", "noise10", "gain+6"])
@pytest.mark.parametrize("count", [1, 40, 800, 16_001])
def test_any_length(variant, count):
    got = augment(np.full(count, 0.1, np.float32), variant)
    assert got.dtype == np.float32
    assert got.ndim == 1
    assert got.size >= 1
    assert np.isfinite(got).all()


def test_no_variant_is_the_clip_itself():
    clip = tone(400.0)
    assert augment(clip, "") is clip


@pytest.mark.parametrize("name", ["speed", "fast2", "speed0", "speed9", "pitch+30", "noise-99", "speed1.1x"])
def test_unknown_variants_are_errors(name):
    with pytest.raises(ValueError, match="variant"):
        parse_variant(name)

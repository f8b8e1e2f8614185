"""Variants do what their name says, and the same thing every time."""

import numpy as np
import pytest

pytest.importorskip("soxr")

from tamis.emotion.signal.variants import make_variant, parse_variant

RATE = 16_000


def tone(pitch_hz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * pitch_hz * np.arange(round(seconds * RATE)) / RATE)).astype("float32")


def peak_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * RATE / len(samples))


@pytest.mark.parametrize(
    ("variant", "length", "pitch"),
    [("speed0.9", 1 / 0.9, 0.9), ("speed2", 0.5, 2.0), ("tempo1.25", 0.8, 1.0), ("voice1.2", 1.0, 1.2)],
)
def test_length_and_pitch(variant, length, pitch):
    got = make_variant(tone(400.0), variant)
    assert len(got) == pytest.approx(RATE * length, rel=0.03)
    assert peak_hz(got[1000:-1000]) == pytest.approx(400.0 * pitch, rel=0.02)


def test_noise_has_the_named_level_and_is_the_same_every_time():
    clip = tone(400.0)
    once, twice = make_variant(clip, "noise15", "a"), make_variant(clip, "noise15", "a")
    assert np.array_equal(once, twice)
    assert not np.array_equal(once, make_variant(clip, "noise15", "b"))
    assert 10 * np.log10(np.mean(clip**2) / np.mean((once - clip) ** 2)) == pytest.approx(15, abs=0.3)


@pytest.mark.parametrize("variant", ["speed0.9", "tempo1.3", "voice0.9", "noise10"])
@pytest.mark.parametrize("count", [1, 40, 800, 16_001])
def test_any_length(variant, count):
    got = make_variant(np.full(count, 0.1, np.float32), variant)
    assert got.dtype == np.float32
    assert got.size >= 1
    assert np.isfinite(got).all()


def test_no_variant_is_the_clip_itself():
    clip = tone(400.0)
    assert make_variant(clip, "") is clip


@pytest.mark.parametrize("name", ["speed", "fast2", "speed0", "speed9", "voice3", "noise-99", "speed1.1x"])
def test_unknown_variants_are_errors(name):
    with pytest.raises(ValueError, match="variant"):
        parse_variant(name)

"""The descriptors against signals whose pitch, level and spectrum are known."""

import numpy as np
import pytest

pytest.importorskip("safetensors")

from tamis.emotion.streams.low_level import NAMES, LowLevelStream, describe

RATE = 16_000


def column(samples: np.ndarray, name: str) -> np.ndarray:
    return describe(samples.astype("float32"))[:, NAMES.index(name)]


def buzz(pitch_hz: np.ndarray | float, seconds: float = 1.0, harmonics: int = 12) -> np.ndarray:
    """A voice-like sum of falling harmonics; pitch may glide."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(pitch_hz, round(seconds * RATE))) / RATE
    return 0.2 * sum(np.sin(k * phase) / k for k in range(1, harmonics + 1))


@pytest.mark.parametrize("pitch_hz", [70.0, 110.0, 220.0, 331.7, 500.0, 700.0])
def test_pitch_of_a_steady_voice(pitch_hz):
    harmonics = min(12, int(7500 / pitch_hz))
    semitones = 12 * column(buzz(pitch_hz, harmonics=harmonics), "pitch_semitones")[3:-3]
    want = 12 * np.log2(pitch_hz / 27.5)
    assert np.abs(semitones - want).max() < 0.2
    assert column(buzz(pitch_hz, harmonics=harmonics), "voiced")[3:-3].all()


def test_pitch_of_a_glide():
    glide = np.geomspace(100, 300, RATE)
    track = 12 * column(buzz(glide), "pitch_semitones")
    want = 12 * np.log2(glide[160::320][: len(track)] / 27.5)
    assert np.abs(track - want)[3:-3].max() < 0.5


def test_noise_and_silence_are_unvoiced():
    noise = np.random.default_rng(0).normal(0, 0.1, RATE)
    assert column(noise, "voiced").mean() < 0.1
    assert column(np.zeros(RATE), "voiced").sum() == 0


def test_harmonics_to_noise_ratio_falls_with_noise():
    noise = np.random.default_rng(0).normal(0, 1, RATE)
    ratios = [
        column(buzz(200.0) + level * noise, "harmonics_to_noise_db").mean() for level in (0.0, 0.02, 0.1)
    ]
    assert ratios[0] > ratios[1] > ratios[2]


def test_energy_is_in_decibels_full_scale():
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    assert np.allclose(10 * column(tone, "energy_db")[2:-2], -3.01, atol=0.05)
    assert np.allclose(10 * column(0.1 * tone, "energy_db")[2:-2], -23.01, atol=0.05)
    assert np.allclose(
        column(0.1 * tone, "energy_relative_db"), column(tone, "energy_relative_db"), atol=1e-4
    )


def test_centroid_and_rolloff_of_a_tone():
    tone = np.sin(2 * np.pi * 2000 * np.arange(RATE) / RATE)
    assert np.allclose(column(tone, "centroid_khz")[2:-2], 2.0, atol=0.02)
    assert np.allclose(column(tone, "rolloff_khz")[2:-2], 2.0, atol=0.04)


def test_cepstra_are_blind_to_level():
    voice = buzz(150) + np.random.default_rng(0).normal(0, 0.01, RATE)
    quiet, loud = describe((0.1 * voice).astype("float32")), describe(voice.astype("float32"))
    first = NAMES.index("cepstrum_1")
    assert np.allclose(quiet[2:-2, first:], loud[2:-2, first:], atol=0.02)


@pytest.mark.parametrize("count", [1, 10, 319, 320, 800, 16_000, 16_001])
@pytest.mark.parametrize("kind", ["silence", "noise", "clipped"])
def test_every_length_and_signal_gives_finite_numbers(count, kind):
    signal = {
        "silence": np.zeros(count),
        "noise": np.random.default_rng(1).normal(0, 0.3, count),
        "clipped": np.clip(5 * np.sin(np.arange(count) / 5), -1, 1),
    }[kind]
    got = describe(signal.astype("float32"))
    assert got.shape == (max(1, count // 320), len(NAMES))
    assert got.dtype == np.float32
    assert np.isfinite(got).all()
    assert np.abs(got).max() < 200


def test_the_stream_tells_its_shape():
    stream = LowLevelStream(pool=3)
    (features,) = stream.encode([buzz(120).astype("float32")])
    assert features.shape == (17, stream.info.dim)
    assert stream.info.dim == len(NAMES) == len(set(NAMES))

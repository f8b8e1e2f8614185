"""Augmentations change what they name, and nothing else."""

from collections.abc import Callable

import numpy as np
import pytest

from tamis.emotion.signal.augment import noise, speed, tempo, voice

RATE = 16_000
TONE = (0.3 * np.sin(2 * np.pi * 200 * np.arange(2 * RATE) / RATE)).astype(np.float32)


def pitch_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 17))
    return float(spectrum.argmax() * RATE / (1 << 17))


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.12, 1.3])
def test_pitch_and_length(factor: float) -> None:
    for change, pitch, length in ((speed, factor, 1 / factor), (tempo, 1, 1 / factor), (voice, factor, 1)):
        changed = change(TONE, factor)
        assert changed.dtype == np.float32
        assert pitch_hz(changed) == pytest.approx(200 * pitch, rel=0.01)
        assert len(changed) == pytest.approx(len(TONE) * length, abs=2)
        assert changed.std() == pytest.approx(TONE.std(), rel=0.03)


def test_tempo_of_one_gives_the_recording_back() -> None:
    speech = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    np.testing.assert_allclose(tempo(speech, 1.0)[300:-600], speech[300:-600], atol=1e-5)


def test_noise_level() -> None:
    added = noise(TONE, 20.0, np.random.default_rng(0)) - TONE
    assert 20 * np.log10(TONE.std() / added.std()) == pytest.approx(20, abs=0.2)


@pytest.mark.parametrize("change", [speed, tempo, voice])
@pytest.mark.parametrize("length", [1, 50, 800, 16_000])
def test_any_length(change: Callable[..., np.ndarray], length: int) -> None:
    for samples in (TONE[:length], np.zeros(length, dtype=np.float32)):
        for factor in (0.7, 1.4):
            changed = change(samples, factor)
            assert changed.dtype == np.float32
            assert len(changed) >= 1
            assert np.isfinite(changed).all()


def test_noise_of_silence_is_silence() -> None:
    assert noise(np.zeros(9, dtype=np.float32), 10.0, np.random.default_rng(0)).tolist() == [0.0] * 9

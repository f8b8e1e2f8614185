"""Several channels become one, and samples of any scale become -1..1: right, or with a note that says what was done."""

import numpy as np
import pytest

pytest.importorskip("soundfile")
pytest.importorskip("soxr")

import soundfile as sf

from tamis.emotion.signal import AudioError, read_recording

RATE = 16_000
RNG = np.random.default_rng(0)
VOICE = RNG.normal(0, 0.1, 2 * RATE).astype("float32")
MUSIC = RNG.normal(0, 0.2, (6, 2 * RATE)).astype("float32")
SILENCE = np.zeros(2 * RATE, "float32")


def mixed(*channels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    recording = read_recording(np.stack(channels, axis=1), RATE)
    return recording.samples(), recording.notes


@pytest.mark.parametrize(
    ("channels", "want", "note"),
    [
        ((VOICE,), VOICE, ""),
        ((VOICE, VOICE), VOICE, ""),
        ((VOICE, MUSIC[0]), (VOICE + MUSIC[0]) / 2, ""),  # two people, one on each side
        ((VOICE, -VOICE), VOICE, "the 2 channels cancel each other: number 1 alone was used"),
        ((0.5 * VOICE, -VOICE), -VOICE, "the 2 channels cancel each other: number 2 alone was used"),
        (
            (VOICE + 0.2, 0.2 - VOICE),
            VOICE + 0.2,
            "the 2 channels cancel each other: number 1 alone was used",
        ),
        ((SILENCE, VOICE), VOICE, "silent channels were left out: 1 of 2"),
        ((SILENCE, VOICE, VOICE, 0.001 * MUSIC[0]), VOICE, "silent channels were left out: 1, 4 of 4"),
        ((SILENCE, SILENCE), SILENCE, ""),
        ((MUSIC[0], MUSIC[1], VOICE), VOICE, "of 3 channels, the centre alone (number 3) was used"),
        ((*MUSIC[:2], VOICE, *MUSIC[3:]), VOICE, "of 6 channels, the centre alone (number 3) was used"),
        (
            (MUSIC[0], MUSIC[1], SILENCE, SILENCE, SILENCE, SILENCE),
            (MUSIC[0] + MUSIC[1]) / 2,
            "silent channels were left out: 3, 4, 5, 6 of 6",
        ),
    ],
)
def test_channels(channels, want, note):
    got, notes = mixed(*channels)
    assert np.abs(got - want).max() < 1e-6
    assert notes == ((note,) if note else ())


@pytest.mark.parametrize(
    ("form", "subtype", "centre"), [("WAV", "PCM_24", 2), ("FLAC", "PCM_24", 2), ("OGG", "VORBIS", 1)]
)
def test_the_centre_of_5_1_by_the_container(tmp_path, form, subtype, centre):
    """Vorbis has left, centre, right; WAV and FLAC left, right, centre."""
    rows = [0.2 * np.sin(2 * np.pi * (200 + 100 * i) * np.arange(2 * 48_000) / 48_000) for i in range(6)]
    sf.write(tmp_path / "film.x", np.stack(rows, axis=1), 48_000, format=form, subtype=subtype)
    recording = read_recording(tmp_path / "film.x")
    spectrum = np.abs(np.fft.rfft(recording.samples()[RATE // 2 : RATE // 2 + RATE]))
    assert spectrum.argmax() == 200 + 100 * centre  # one bin a Hz
    assert recording.notes == (f"of 6 channels, the centre alone (number {centre + 1}) was used",)


def test_opposite_phase_in_a_file(tmp_path):
    sf.write(tmp_path / "x.wav", np.stack((VOICE, -VOICE), axis=1), RATE, subtype="FLOAT")
    recording = read_recording(tmp_path / "x.wav")
    assert np.array_equal(recording.samples(), VOICE)
    assert "cancel" in recording.notes[0]


WHOLE = np.round(VOICE * 2**15)


@pytest.mark.parametrize(
    ("values", "scale", "note"),
    [
        (VOICE.astype("float64"), 1.0, ""),
        (VOICE.astype("float16"), 1.0, ""),
        (WHOLE.astype("int16"), 2.0**15, ""),
        (WHOLE.astype("float32"), 2.0**15, "16-bit"),
        (WHOLE.astype("float64") + 0.25, 2.0**15, "16-bit"),  # resampled before it was scaled
        (WHOLE.astype("int32"), 2.0**15, "16-bit"),
        (WHOLE.astype("int64"), 2.0**15, "16-bit"),  # np.array(list of int)
        (WHOLE.astype("int64").tolist(), 2.0**15, "16-bit"),
        (np.round(VOICE * 2.0**23).astype("int32"), 2.0**23, "24-bit"),
        (np.round(VOICE * 2.0**23).astype("float32"), 2.0**23, "24-bit"),
        (np.round(8 * VOICE.clip(-0.12, 0.12) * 2.0**31).astype("int32"), 2.0**31, ""),
        (np.array([0, 1, -1, 0] * 100), 2.0**15, "16-bit"),
        (np.zeros(100, "int32"), 1.0, ""),
        (np.round(RNG.normal(0, 0.7, RATE)), 2.0**15, "16-bit"),  # hardly anything, in 16 bits
    ],
)
def test_scales(values, scale, note):
    recording = read_recording(values, RATE)
    assert np.abs(recording.samples() - np.asarray(values, "float64") / scale).max() < 1e-6
    assert all(f"taken for {note} integers" in text for text in recording.notes)
    assert len(recording.notes) == bool(note)


def test_overdriven_floats_keep_their_scale():
    recording = read_recording(15 * VOICE.clip(-0.1, 0.1), RATE)
    assert np.abs(recording.samples()).max() == pytest.approx(1.5)
    assert recording.notes == ("samples reach 1.50, beyond full scale",)


@pytest.mark.parametrize("factor", [50.0, 1e12])
def test_floats_of_no_scale_are_refused(factor):
    with pytest.raises(AudioError, match=r"neither floats in -1\.\.1 nor integers"):
        read_recording(factor * VOICE, RATE)


def test_float_files_in_the_range_of_integers(tmp_path):
    """As scipy.io.wavfile.write leaves them when it is given floats that were never scaled."""
    sf.write(tmp_path / "x.wav", WHOLE, RATE, subtype="FLOAT")
    recording = read_recording(tmp_path / "x.wav")
    assert np.abs(recording.samples() - VOICE).max() < 2**-15
    assert "taken for 16-bit integers" in recording.notes[0]


def test_silence_and_a_constant_are_nothing_to_recognise():
    for values in (np.zeros(RATE), np.full(RATE, 0.5), np.full(RATE, 7, "int16")):
        assert read_recording(values, RATE).nothing == "nothing is audible"
    assert read_recording(VOICE[:399], RATE).nothing == "it is shorter than 25 ms"
    assert read_recording(VOICE[:400], RATE).nothing == ""
    assert read_recording(VOICE[:1], RATE).nothing == "nothing is audible"

"""Audio in: rates, widths, channels and every kind of broken file."""

import numpy as np
import pytest

pytest.importorskip("soundfile")
pytest.importorskip("soxr")

import soundfile as sf

from tamis.emotion.signal import AudioError, read_audio, read_recording


def tone(rate_hz: int, seconds: float = 1.0, pitch_hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(round(rate_hz * seconds)) / rate_hz)).astype(
        "float32"
    )


@pytest.mark.parametrize(
    ("rate_hz", "subtype", "suffix"),
    [
        (16_000, "PCM_16", "wav"),
        (16_000, "PCM_U8", "wav"),
        (48_000, "PCM_24", "wav"),
        (44_100, "FLOAT", "wav"),
        (8_000, "ULAW", "wav"),
        (22_050, "PCM_16", "flac"),
        (48_000, "VORBIS", "ogg"),
        (44_100, "MPEG_LAYER_III", "mp3"),
        (96_000, "DOUBLE", "wav"),
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_width_and_channel_count(tmp_path, rate_hz, subtype, suffix, channels):
    if subtype == "MPEG_LAYER_III":  # two at most
        channels = min(channels, 2)
    path = tmp_path / f"clip.{suffix}"
    sf.write(path, np.repeat(tone(rate_hz)[:, None], channels, 1), rate_hz, subtype=subtype)
    got = read_audio(path)
    assert got.dtype == np.float32
    assert got.ndim == 1
    assert abs(got.size - 16_000) <= 2
    inner = slice(2000, 14_000)
    assert np.abs(got[inner] - tone(16_000)[inner]).max() < (
        0.05 if subtype in ("ULAW", "VORBIS", "MPEG_LAYER_III") else 0.01
    )


def test_long_files_are_read_in_blocks_without_seams(tmp_path):
    path = tmp_path / "long.wav"
    sf.write(path, tone(44_100, 45.0), 44_100, subtype="FLOAT")
    got, want = read_audio(path), tone(16_000, 45.0)
    assert abs(got.size - want.size) <= 2
    assert np.abs(got[2000:-2000] - want[2000 : got.size - 2000]).max() < 0.01


def test_a_part_of_a_file(tmp_path):
    path = tmp_path / "clip.wav"
    ramp = np.linspace(-0.9, 0.9, 32_000, dtype="float32")
    sf.write(path, ramp, 16_000, subtype="FLOAT")
    assert np.array_equal(read_audio(path, 0.5, 1.25), ramp[8000:20_000])
    assert np.array_equal(read_audio(path, 1.5), ramp[24_000:])
    for start, end in [(1.0, 1.0), (-0.1, 1.0), (2.0, 3.0), (0.0, 2.5), (1.0, 0.5)]:
        with pytest.raises(AudioError, match=r"of a file of 2\.000 s"):
            read_audio(path, start, end)


@pytest.mark.parametrize("samples", [1, 800])
def test_very_short_clips_are_audio(tmp_path, samples):
    sf.write(tmp_path / "short.wav", tone(16_000)[:samples], 16_000)
    assert read_audio(tmp_path / "short.wav").size == samples


def test_silence_and_clipping_are_audio(tmp_path):
    sf.write(tmp_path / "silence.wav", np.zeros(1600), 16_000)
    assert not read_audio(tmp_path / "silence.wav").any()
    sf.write(tmp_path / "loud.wav", 4 * tone(16_000), 16_000)
    assert read_recording(tmp_path / "loud.wav").notes == ("66% of the samples are clipped",)
    assert read_recording(tone(16_000), 16_000).notes == ()


@pytest.mark.parametrize("subtype", ["PCM_U8", "ULAW", "ALAW", "PCM_16", "FLOAT"])
def test_clipping_is_seen_in_every_encoding(tmp_path, subtype):
    """Encodings of eight bits end at .98 or .99 of full scale."""
    sf.write(tmp_path / "loud.wav", np.clip(4 * tone(8_000), -1, 1), 8_000, subtype=subtype)
    assert "% of the samples are clipped" in read_recording(tmp_path / "loud.wav").notes[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_their_count(tmp_path, bad):
    samples = tone(16_000)
    samples[100:103] = bad
    sf.write(tmp_path / "bad.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="3 of 16000 samples are NaN or infinite"):
        read_audio(tmp_path / "bad.wav")


@pytest.mark.parametrize(
    "content", [b"", b"hello, I am a text file", b"RIFF\x00\x00\x00\x00WAVE", bytes(range(256)) * 40]
)
def test_bytes_that_are_no_audio(tmp_path, content):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(AudioError, match="read_audio"):
        read_audio(tmp_path / "x.wav")


def test_an_empty_recording_and_a_cut_file(tmp_path):
    sf.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    with pytest.raises(AudioError):
        read_audio(tmp_path / "empty.wav")
    sf.write(tmp_path / "cut.flac", tone(16_000, 3.0), 16_000)
    data = (tmp_path / "cut.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError):
        read_audio(tmp_path / "cut.flac")


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_audio(tmp_path / "none.wav")
    with pytest.raises(FileNotFoundError, match="must be downloaded first"):
        read_audio("https://example.org/clip.wav")
    with pytest.raises(IsADirectoryError, match="find_recordings"):
        read_audio(tmp_path)


@pytest.mark.parametrize("dtype", [np.float64, np.int16, np.int32, np.uint8])
def test_arrays_of_any_width(dtype):
    wave = tone(16_000).astype(np.float64)
    if dtype == np.uint8:
        values = np.round(wave * 127 + 128).astype(dtype)
    elif np.issubdtype(dtype, np.integer):
        values = np.round(wave * np.iinfo(dtype).max).astype(dtype)
    else:
        values = wave
    assert np.abs(read_recording(values, 16_000).samples() - wave).max() < 0.01


@pytest.mark.parametrize(
    ("array", "rate_hz"),
    [
        (np.zeros(0), 16_000),
        (np.zeros((2, 3, 4)), 16_000),
        (np.zeros((80, 100)), 16_000),  # a spectrogram
        (np.full(10, np.nan), 16_000),
        (np.zeros(10), 0),
        (np.zeros(10), -5),
        (np.zeros(10, dtype=complex), 16_000),
        (np.zeros(10, dtype=bool), 16_000),
    ],
)
def test_arrays_that_are_no_audio(array, rate_hz):
    with pytest.raises(AudioError):
        read_recording(array, rate_hz)

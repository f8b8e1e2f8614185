"""Every format and codec that libsndfile writes is read, as a whole and in part."""

import numpy as np
import pytest

pytest.importorskip("soxr")
pytest.importorskip("soundfile")

import soundfile as sf

from tamis.emotion.signal import read_recording

RATE = 16_000
NOT_A_RECORDING = {"RAW", "WVE", "XI"}  # without a header; always 8 kHz; always 44.1 kHz
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)).astype("float32")


def writable() -> list[tuple[str, str]]:
    pairs = [(form, subtype) for form in sf.available_formats() for subtype in sf.available_subtypes(form)]
    return [
        (form, subtype)
        for form, subtype in pairs
        if form not in NOT_A_RECORDING and sf.check_format(form, subtype)
        if (form, subtype) not in {("AIFF", "DWVW_12"), ("MP3", "MPEG_LAYER_I"), ("MP3", "MPEG_LAYER_II")}
        if (form, subtype)
        not in {("WAV", "MPEG_LAYER_III")}  # libsndfile lists these four, and does not write them
        if (form, subtype) != ("VOC", "PCM_U8")  # its header has no 16 kHz: 16129 Hz is the nearest
    ]


@pytest.mark.parametrize(("form", "subtype"), writable())
def test_codecs_that_cannot_seek_are_decoded_in_order(tmp_path, form, subtype):
    """GSM 6.10, G.721, NMS ADPCM and DWVW fail on a seek; the others must not suffer for it."""
    path = tmp_path / f"clip.{form.lower()}"
    sf.write(path, TONE, RATE, subtype=subtype, format=form)
    recording = read_recording(path)
    whole, part = recording.samples(), read_recording(path, None, 0.5, 1.5).samples()
    assert abs(recording.duration_s - 2.0) < 0.05
    assert (recording.notes, recording.doubts) == ((), ())
    assert np.abs(whole[1000:31_000] - TONE[1000:31_000]).max() < 0.06
    assert len(part) == RATE
    # ADPCM with a memory decodes a part that begins within a block a little differently
    assert np.abs(part - whole[8000:24_000]).max() < 0.02


def test_a_part_of_an_mp3_is_what_the_whole_is_there(tmp_path):
    """An MP3 frame draws on bits of those before it: after a bare seek the first ones were wrong by up to 0.5."""
    sf.write(tmp_path / "clip.mp3", TONE, RATE)
    whole = read_recording(tmp_path / "clip.mp3").samples()
    for start_s in (0.1, 0.5, 0.73, 1.5):
        part = read_recording(tmp_path / "clip.mp3", None, start_s).samples()
        assert np.abs(part - whole[round(start_s * RATE) :]).max() < 1e-6


def test_flac_from_a_pipe_does_not_state_its_length(tmp_path):
    sf.write(tmp_path / "clip.flac", TONE, RATE)
    data = bytearray((tmp_path / "clip.flac").read_bytes())
    data[21] &= 0xF0  # the number of samples: the last 36 bits of bytes 18 to 25
    data[22:26] = bytes(4)
    (tmp_path / "clip.flac").write_bytes(data)
    recording = read_recording(tmp_path / "clip.flac")
    assert recording.duration_s == 2.0
    assert recording.doubts == ()
    assert len(read_recording(tmp_path / "clip.flac", None, 0.5, 1.5).samples()) == RATE

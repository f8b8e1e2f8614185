"""Recordings that are cut short, and files that are none: both are called what they are."""

import io
import struct
import tarfile
import zipfile

import numpy as np
import pytest

pytest.importorskip("soxr")
pytest.importorskip("soundfile")

import soundfile as sf

from tamis.emotion.signal import AudioError, read_audio, read_recording

RATE = 16_000
NOISE = np.random.default_rng(0).normal(0, 0.1, 4 * RATE).astype("float32")


def encoded(form: str, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    sf.write(file, NOISE, RATE, format=form, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        ("WAV", "PCM_16"), ("WAV", "ULAW"), ("WAV", "GSM610"), ("WAV", "IMA_ADPCM"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16"),
        ("W64", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("SVX", "PCM_16"), ("NIST", "PCM_16"), ("FLAC", "PCM_16"),
        ("MP3", "MPEG_LAYER_III"),
    ],
)  # fmt: skip
def test_half_a_file_is_read_with_a_doubt(tmp_path, form, subtype):
    """The header promises 4 s."""
    data = encoded(form, subtype)
    path = tmp_path / "half.x"
    path.write_bytes(data[: len(data) // 2])
    recording = read_recording(path)
    assert recording.duration_s == pytest.approx(2.0, abs=0.3)
    assert len(recording.doubts) == 1
    stated, found = (float(word) for word in recording.doubts[0].split() if word[0].isdigit())
    assert recording.doubts[0].startswith("cut short: ")
    assert stated == pytest.approx(4.0, abs=0.1)
    assert found == pytest.approx(recording.duration_s, abs=0.01)
    assert recording.missing_s == pytest.approx(4.0 - recording.duration_s, abs=0.1)
    with pytest.raises(AudioError, match=r"cut short: .* were promised"):  # not to be learnt from
        read_audio(path)
    assert read_recording(path, None, 0.5, 1.5).doubts == ()  # this part is there
    with pytest.raises(AudioError, match=r"nothing is left of the 0\.50 s"):
        read_recording(path, None, 3.0, 3.5)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_stream_without_its_end_is_doubted(tmp_path, subtype):
    data = encoded("OGG", subtype)
    (tmp_path / "half.ogg").write_bytes(data[: len(data) // 2])
    doubt = read_recording(tmp_path / "half.ogg").doubts[0]
    assert doubt.startswith("probably cut short: it ends after")
    assert len(read_audio(tmp_path / "half.ogg")) > RATE / 2  # nothing was promised: no error


@pytest.mark.parametrize("size", [0xFFFF_FFFF, 0x7FFF_F000, 0x8000_0000, 0x7FFF_FFFF - 44])
def test_wav_from_a_pipe_promises_nothing(size):
    """ffmpeg, sox and arecord write such sizes where they cannot go back to the header."""
    data = bytearray(encoded("WAV"))
    data[40:44] = struct.pack("<I", size)
    recording = read_recording(bytes(data))
    assert recording.duration_s == 4.0
    assert recording.doubts == ()


def test_a_header_that_is_wrong_by_some_bytes_is_no_damage():
    data = bytearray(encoded("WAV"))
    data[40:44] = struct.pack("<I", 4 * RATE * 2 + 8)
    data[4:8] = struct.pack("<I", len(data))
    assert read_recording(bytes(data)).doubts == ()


def test_a_header_alone_is_an_error():
    for data in (encoded("WAV")[:44], encoded("FLAC")[:200], encoded("MP3")[:300]):
        with pytest.raises(AudioError, match="read_audio"):
            read_recording(data)
    unfinished = bytearray(encoded("WAV"))
    unfinished[40:44] = bytes(4)
    with pytest.raises(AudioError, match="holds no samples; was the recording finished"):
        read_recording(bytes(unfinished))


def test_mp3_without_a_length_is_not_doubted():
    """Its length is libsndfile's guess then."""
    data = encoded("MP3")
    second = data.index(data[:2], 10)
    assert not any("promised" in doubt for doubt in read_recording(data[second:]).doubts)


def archive(kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w") as out:
            out.writestr("clip.wav", encoded("WAV"))
    else:
        with tarfile.open(fileobj=file, mode=f"w:{kind}") as out:
            info = tarfile.TarInfo("clip.wav")
            info.size = 1000
            out.addfile(info, io.BytesIO(bytes(range(250)) * 4))
    return file.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 105896\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (POINTER, "a Git LFS pointer"),
        (b"/annex/objects/SHA256E-s1--ab.wav\n", "a git-annex pointer"),
        (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "a web page"),
        (b"\xef\xbb\xbf\n <html>", "a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML document"),
        (b'{"message": "Not Found"}', "a JSON text"),
        ("start;end\n0;1 \u00e9".encode(), "a text file"),
        (archive("zip"), "a ZIP archive"),
        (archive("gz"), "a gzip archive"),
        (archive(""), "a tar archive"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(100), "MP4, M4A or QuickTime"),
        (b"\x1aE\xdf\xa3" + bytes(100), "Matroska or WebM"),
        (b"#!AMR\n" + bytes(100), "AMR"),
        (b"\xff\xf1\x50\x80\x2e\x7f\xfc" + bytes(100), "AAC"),
        (b"RIFF\x24\0\0\0AVI LIST" + bytes(100), r"a RIFF file that is no WAV \(AVI\)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG picture"),
        (bytes(5000), "zero bytes only"),
    ],
)
def test_what_is_no_recording_is_called_what_it_is(tmp_path, content, words):
    path = tmp_path / "clip.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=rf"clip\.wav\): it is {words}"):
        read_audio(path)
    with pytest.raises(AudioError, match=rf"read_audio\(bytes\): it is {words}"):
        read_recording(content)

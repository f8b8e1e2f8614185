"""What people hand over: paths, bytes, streams, pipes, tensors, folders; and what they are told where it is none of these."""

import io
import os
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("soundfile")
pytest.importorskip("soxr")

import soundfile as sf

from tamis.emotion.signal import AudioError, find_recordings, read_recording

RATE = 16_000
CLIP = np.random.default_rng(0).normal(0, 0.1, RATE).astype("float32")


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    sf.write(tmp_path / "clip.wav", CLIP, RATE, subtype="FLOAT")
    return tmp_path / "clip.wav"


def same(audio: object, rate_hz: object = None) -> bool:
    return np.array_equal(read_recording(audio, rate_hz).samples(), CLIP)


def test_files_and_streams(wav, tmp_path):
    data = wav.read_bytes()
    for audio in (wav, str(wav), data, bytearray(data), io.BytesIO(data)):
        assert same(audio)
    assert same(wav, RATE)
    with wav.open("rb") as file:
        assert same(file)
        assert read_recording(wav).source == str(wav)
    with wav.open("rb") as file:
        assert read_recording(file).source == str(wav)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("clip.wav", data)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, archive.open("clip.wav") as member:
        assert same(member)
    after = io.BytesIO(b"header of ours" + data)
    after.seek(14)
    assert same(after)  # from where it stands


def test_pipes(wav, tmp_path):
    data = wav.read_bytes()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(data,))
    writer.start()
    assert same(tmp_path / "pipe")
    writer.join()
    reading, writing = os.pipe()
    writer = threading.Thread(target=lambda: os.fdopen(writing, "wb").write(data))
    writer.start()
    assert same(f"/dev/fd/{reading}")
    writer.join()
    os.close(reading)


def test_arrays_and_tensors():
    stereo = np.stack((CLIP, CLIP), axis=1)
    tensor = torch.from_numpy(CLIP)
    for audio in (
        CLIP, CLIP.tolist(), CLIP[None], CLIP[:, None], stereo, stereo.T, CLIP.astype(">f4"), np.repeat(CLIP, 2)[::2],
        tensor, tensor[None], tensor.double(), torch.from_numpy(stereo.T.copy()), tensor.clone().requires_grad_(),
        torch.nn.Parameter(tensor[None]),
    ):  # fmt: skip
        assert same(audio, RATE)
    for rate_hz in (RATE, float(RATE), np.int64(RATE), torch.tensor(RATE)):
        assert same(tensor, rate_hz)
    for half in (tensor.half(), tensor.bfloat16()):
        assert np.array_equal(read_recording(half, RATE).samples(), half.float().numpy())
    integers = (tensor * 2**15).round()
    for whole in (integers.to(torch.int16), integers.to(torch.int32), integers.long()):
        assert np.array_equal(read_recording(whole, RATE).samples(), (integers / 2**15).numpy())


@pytest.mark.parametrize(
    ("audio", "rate_hz", "words"),
    [
        (CLIP, None, "needs its rate"),
        (CLIP, "16000", r"sample_rate_hz='16000'; expected a number of Hz"),
        (CLIP, True, "expected a number of Hz"),
        (CLIP, 16, "in Hz, not kHz"),
        (CLIP, float("nan"), "no speech recording"),
        ((CLIP, RATE), RATE, "give them apart"),
        ({"array": CLIP, "sampling_rate": RATE}, RATE, "dtype object"),
        (torch.zeros(1, 1, 100), RATE, r"shape \(1, 1, 100\).*expected one recording"),
        (torch.zeros(100, device="meta"), RATE, "cannot be read as an array"),
        (torch.zeros(100, dtype=torch.complex64), RATE, "dtype complex64"),
        (np.zeros((80, 300)), RATE, "is it a spectrogram"),
        (None, RATE, "dtype object"),
        (7, RATE, r"shape \(\)"),
        (io.StringIO("RIFF"), None, "opened as text"),
    ],
)
def test_what_is_no_recording_is_told_apart(audio, rate_hz, words):
    with pytest.raises(AudioError, match=words):
        read_recording(audio, rate_hz)


def test_streams_that_cannot_be_read(wav):
    at_end = io.BytesIO(wav.read_bytes())
    at_end.seek(0, os.SEEK_END)
    with pytest.raises(AudioError, match=r"call seek\(0\)"):
        read_recording(at_end)
    with wav.open(encoding="latin-1") as text, pytest.raises(AudioError, match="mode 'rb'"):
        read_recording(text)
    with pytest.raises(AudioError, match="a device"):
        read_recording("/dev/null")
    with pytest.raises(AudioError, match=r"sample_rate_hz=8000, but the file has 16000 Hz"):
        read_recording(wav, 8000)


def test_folders(wav, tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("b/clip.wav", "b/c/CLIP.FLAC", "b/film.mp4", "b/notes.txt", "b/._clip.wav"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "b" / "c", target_is_directory=True)
    (tmp_path / "b" / "c" / "back").symlink_to(tmp_path, target_is_directory=True)
    names = ["b/c/CLIP.FLAC", "b/clip.wav", "b/film.mp4", "clip.wav"]
    assert [path.relative_to(tmp_path).as_posix() for path in find_recordings(tmp_path)] == names
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no recordings in"):
        find_recordings(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="no folder"):
        find_recordings(tmp_path / "none")


def test_a_name_that_is_no_text(wav, tmp_path):
    path = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.wav"))
    path.write_bytes(wav.read_bytes())
    recording = read_recording(path)
    assert recording.source == f"{tmp_path}/caf\\xe9.wav"
    recording.source.encode()  # can be printed

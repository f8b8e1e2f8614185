"""From a name in a config to a stream: three that work offline, and any supported model by hub name or folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tamis.emotion.streams import text, waveform
from tamis.emotion.streams.encoder import AudioStream, LayerRule, Stream, TextStream
from tamis.emotion.streams.low_level import LowLevelStream
from tamis.emotion.streams.text import TokenStream
from tamis.emotion.streams.waveform import WaveformStream
from tamis.emotion.streams.whisper import WhisperStream
from tamis.pretrained import TINY_EN, TinyEn, load_tiny_en, minilm_folder

HUB_NAME = re.compile(r"[\w.-]*\w[\w.-]*/[\w.-]*\w[\w.-]*")
OFFLINE = (TINY_EN, "low-level", "minilm")


def open_stream(
    encoder: str,
    layers: LayerRule = "all",
    pool: int = 1,
    window_s: float = 30.0,
    tiny_en: TinyEn | None = None,
) -> Stream:
    """Open a frozen encoder by name.

    Parameters
    ----------
    encoder : str
        ``"whisper-tiny.en"``, ``"low-level"`` or ``"minilm"``, which work offline; or a folder written by
        ``save_pretrained``; or the name of a hub model, which is then downloaded: nothing else ever is.
    layers : LayerRule
        ``"all"`` keeps every layer for learned weights. The low-level stream has one.
    pool : int
        Average this many frames into one, at least 1.
    window_s : float
        Longest stretch encoded at once, for encoders that read the waveform.
    tiny_en : TinyEn, optional
        Whisper tiny.en, if it is loaded already.

    Raises
    ------
    ModuleNotFoundError   if the package of an offline encoder, or transformers, is missing.
    FileNotFoundError     if ``encoder`` is no offline name, no folder, and no ``owner/model``.
    ValueError            for a model of a kind that has no stream, or a rule that does not fit it.
    """
    if pool < 1:
        raise ValueError(f"open_stream({encoder!r}): pool={pool}; expected 1 (none) or more.")
    if encoder == "low-level":
        return AudioStream(LowLevelStream(pool))
    if encoder == TINY_EN:
        from transformers import WhisperFeatureExtractor

        model = (tiny_en or load_tiny_en()).model.get_encoder()
        return AudioStream(WhisperStream(model, WhisperFeatureExtractor(), layers, pool, encoder))
    if encoder == "minilm":
        return open_pretrained(str(minilm_folder()), layers, pool, window_s, encoder)
    return open_pretrained(encoder, layers, pool, window_s, encoder)


def open_pretrained(where: str, layers: LayerRule, pool: int, window_s: float, name: str) -> Stream:
    from transformers import (
        AutoConfig,
        AutoFeatureExtractor,
        AutoModel,
        AutoTokenizer,
        WhisperFeatureExtractor,
        WhisperModel,
    )

    kind = pretrained(AutoConfig, where).model_type
    if kind in waveform.MODEL_TYPES:
        normalise = bool(pretrained(AutoFeatureExtractor, where).do_normalize)
        model = pretrained(AutoModel, where)
        return AudioStream(WaveformStream(model, normalise, layers, pool, window_s, name))
    if kind == "whisper":
        mel = pretrained(WhisperFeatureExtractor, where)
        model = pretrained(WhisperModel, where).get_encoder()
        return AudioStream(WhisperStream(model, mel, layers, pool, name))
    if kind in text.MODEL_TYPES:
        model = pretrained(AutoModel, where)
        return TextStream(TokenStream(model, pretrained(AutoTokenizer, where), layers, pool, name))
    raise ValueError(
        f"open_stream({name!r}): a model of type {kind!r} has no stream. Known: {', '.join(OFFLINE)}, whisper, "
        f"{', '.join((*waveform.MODEL_TYPES, *text.MODEL_TYPES))}."
    )


def pretrained(part: Any, where: str) -> Any:
    """``part.from_pretrained``: from a folder if there is one, else from the hub; weights as safetensors only."""
    local = Path(where).is_dir()
    if not local:
        check_hub_name(where)
    weights = (
        {"use_safetensors": True} if hasattr(part, "config_class") or part.__name__ == "AutoModel" else {}
    )
    try:
        with quiet_loading(local):
            loaded = part.from_pretrained(where, local_files_only=local, **weights)
    except (OSError, ValueError) as error:
        place = "the folder lacks a file" if local else "the hub did not give it"
        raise ValueError(
            f"open_stream({where!r}): {place}: {str(error).splitlines()[0]}\n"
            f"Offline encoders are {', '.join(OFFLINE)}; a folder must be as save_pretrained writes it (safetensors)."
        ) from error
    if weights:
        loaded.requires_grad_(False).eval()
    return loaded


def check_hub_name(name: str) -> None:
    """Nothing is fetched for a slip of the pen: what is no folder must look like ``owner/model``."""
    if not HUB_NAME.fullmatch(name):
        raise FileNotFoundError(
            f"open_stream({name!r}): no offline encoder of that name ({', '.join(OFFLINE)}), and no such folder. "
            "A hub model is named owner/model, as in microsoft/wavlm-large."
        )


@contextmanager
def quiet_loading(local: bool) -> Iterator[None]:
    """No progress bar while weights are read from disk; downloads keep theirs."""
    from transformers.utils import logging

    hide = local and logging.is_progress_bar_enabled()
    if hide:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if hide:
            logging.enable_progress_bar()

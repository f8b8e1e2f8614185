"""Transcripts by Whisper, for corpora without text and for prediction.

The decoder is given the full 30 s window: on an encoder trimmed to the clip's length tiny.en says every sentence over
and over (it has never seen audio end without silence after it), so only features are trimmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tamis.emotion.signal import SAMPLE_RATE_HZ, Samples
from tamis.emotion.streams.encoder import cut_windows
from tamis.pretrained import TINY_EN, TinyEn, load_tiny_en

if TYPE_CHECKING:
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

WINDOW_S = 30.0
TOKENS_PER_S, TOKENS_AT_LEAST = 8.0, 16
SILENT_LEVEL = 1e-4


@dataclass(frozen=True)
class Transcriber:
    """Speech to text.

    Attributes
    ----------
    model : WhisperForConditionalGeneration
    mel : WhisperFeatureExtractor
    decode : callable
        Token numbers to text, special tokens left out.
    """

    model: WhisperForConditionalGeneration
    mel: WhisperFeatureExtractor
    decode: Callable[[list[int]], str]

    @torch.inference_mode()
    def transcribe(self, samples: Samples) -> str:
        """The words of a clip of any length; empty for silence.

        Words are cut off at eight tokens a second of audio, which no speaker reaches, so that a decoder that has
        begun to repeat itself stops.
        """
        parts = [self.window_text(w) for w in cut_windows(samples, int(WINDOW_S * SAMPLE_RATE_HZ))]
        return " ".join(part for part in parts if part)

    def window_text(self, window: Samples) -> str:
        if np.abs(window).max() < SILENT_LEVEL:
            return ""
        features = self.mel(window, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")["input_features"]
        most = int(TOKENS_AT_LEAST + TOKENS_PER_S * len(window) / SAMPLE_RATE_HZ)
        limit = self.model.config.max_target_positions
        with without_warnings():
            tokens = self.model.generate(features, max_length=min(most, limit), do_sample=False)
        return self.decode(tokens[0].tolist()).strip()


@contextmanager
def without_warnings() -> Iterator[None]:
    """Whisper's ``generate`` warns of how it calls itself; nothing in it is for the user."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def tiny_en_transcriber(tiny: TinyEn) -> Transcriber:
    from transformers import WhisperFeatureExtractor

    return Transcriber(
        tiny.model, WhisperFeatureExtractor(), lambda ids: decode_words(tiny.tokenizer.decode, ids)
    )


def decode_words(decode: Callable[..., str], ids: Sequence[int]) -> str:
    return decode(list(ids), skip_special_tokens=True)


def open_transcriber(name: str = TINY_EN, tiny_en: TinyEn | None = None) -> Transcriber:
    """A transcriber by name: the offline one, ``tiny_en`` if it is loaded already, or a Whisper hub model or folder (in English)."""
    if name == TINY_EN:
        return tiny_en_transcriber(tiny_en or load_tiny_en())
    from transformers import AutoTokenizer, WhisperFeatureExtractor, WhisperForConditionalGeneration

    from tamis.emotion.streams.named import pretrained

    model = pretrained(WhisperForConditionalGeneration, name)
    tokenizer = pretrained(AutoTokenizer, name)
    mel = pretrained(WhisperFeatureExtractor, name)
    return Transcriber(model, mel, lambda ids: decode_words(tokenizer.decode, ids))

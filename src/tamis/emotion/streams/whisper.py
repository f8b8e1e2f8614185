"""Streams of Whisper encoders: tiny.en offline, any other by hub name or folder; run at the real length of each clip.

The decoder's use, transcripts, is in :mod:`tamis.emotion.streams.transcribe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tamis.emotion.data import StreamInfo
from tamis.emotion.signal import SAMPLE_RATE_HZ, Samples
from tamis.emotion.streams.encoder import (
    LayerRule,
    check_rule,
    choose_layers,
    cut_windows,
    fingerprint,
    layers_kept,
    pooled,
    source,
)
from tamis.pretrained import encode_trimmed

if TYPE_CHECKING:
    from transformers import WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

SHORTEST = 400
"""Samples (25 ms) of one spectrum; shorter clips are filled up with silence."""


class WhisperStream:
    """Hidden states of a Whisper encoder, 50 frames a second before pooling.

    Clips beyond 30 s are cut into equal windows, which are encoded apart and joined.

    Parameters
    ----------
    model : WhisperEncoder
        From ``transformers``.
    mel : WhisperFeatureExtractor
        Matching number of mel bins.
    layers : LayerRule
        Which hidden states are kept.
    pool : int
        Average this many frames into one.
    """

    def __init__(
        self,
        model: WhisperEncoder,
        mel: WhisperFeatureExtractor,
        layers: LayerRule = "last",
        pool: int = 1,
        name: str = "whisper",
    ) -> None:
        self.model, self.mel, self.layers, self.pool = model, mel, layers, pool
        states = model.config.encoder_layers + 1
        check_rule(layers, states, name)
        self.info = StreamInfo(
            dim=model.config.d_model,
            layers=layers_kept(layers, states),
            frame_rate_hz=50.0 / pool,
            extra=source("audio", encoder=name, layers=layers, pool=pool),
        )
        self.recipe = f"whisper/1 {fingerprint(model)} layers={layers} pool={pool}"

    @torch.inference_mode()
    def encode(self, clips: Sequence[Samples]) -> list[Tensor]:
        longest = self.model.config.max_source_positions * 2 * self.mel.hop_length
        windows = [cut_windows(clip, longest) for clip in clips]
        encoded = iter(self.encode_windows([window for parts in windows for window in parts]))
        joined = (torch.cat([next(encoded) for _ in parts], dim=-2) for parts in windows)
        return [pooled(features, self.pool) for features in joined]

    def encode_windows(self, windows: Sequence[Samples]) -> list[Tensor]:
        mels = [log_mel(self.mel, window) for window in windows]
        frames = [mel.shape[1] for mel in mels]
        batch = torch.zeros(len(mels), mels[0].shape[0], max(frames))
        for i, mel in enumerate(mels):
            batch[i, :, : frames[i]] = mel
        states = encode_trimmed(self.model, batch, frames)
        return [
            choose_layers([state[i, : (count + 1) // 2] for state in states], self.layers)
            for i, count in enumerate(frames)
        ]


def log_mel(mel: WhisperFeatureExtractor, samples: Samples) -> Tensor:
    """Log-mel frames (mel bins, time), 100 a second, of a clip without padding to 30 s."""
    if len(samples) < SHORTEST:
        samples = np.pad(samples, (0, SHORTEST - len(samples)))
    features = mel(samples, sampling_rate=SAMPLE_RATE_HZ, padding="do_not_pad", return_tensors="pt")
    frames: Tensor = features["input_features"][0]
    return frames

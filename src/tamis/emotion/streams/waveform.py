"""Streams of encoders that read the waveform: WavLM, HuBERT, wav2vec 2.0 and their kin, 50 frames a second."""

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
    hidden_states,
    layers_kept,
    pooled,
    source,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MODEL_TYPES = ("wavlm", "hubert", "wav2vec2", "unispeech-sat", "data2vec-audio")
VARIANCE_FLOOR = 1e-7


class WaveformStream:
    """Hidden states of a wav2vec 2.0-like encoder.

    Parameters
    ----------
    model : PreTrainedModel
        The bare encoder (``WavLMModel``, ``HubertModel``, ``Wav2Vec2Model`` …).
    normalise : bool
        Bring each window to zero mean and unit variance first; the checkpoint's ``preprocessor_config.json`` says.
    layers : LayerRule
    pool : int
        Average this many frames into one.
    window_s : float
        Longer clips are cut into equal windows of at most this, encoded apart and joined: attention grows with the
        square of the length.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        normalise: bool,
        layers: LayerRule = "last4",
        pool: int = 1,
        window_s: float = 30.0,
        name: str = "waveform",
    ) -> None:
        self.model, self.normalise, self.layers, self.pool = model, normalise, layers, pool
        self.longest, self.shortest = int(window_s * SAMPLE_RATE_HZ), receptive_field(model)
        if self.longest < self.shortest:
            raise ValueError(
                f"stream {name!r}: window_s={window_s} is shorter than one frame ({self.shortest} samples)."
            )
        states = model.config.num_hidden_layers + 1
        check_rule(layers, states, name)
        self.info = StreamInfo(
            dim=model.config.hidden_size,
            layers=layers_kept(layers, states),
            frame_rate_hz=SAMPLE_RATE_HZ / float(np.prod(model.config.conv_stride)) / pool,
            extra=source("audio", encoder=name, layers=layers, pool=pool, window_s=window_s),
        )
        self.recipe = f"waveform/1 {fingerprint(model)} normalise={normalise} layers={layers} pool={pool} window_s={window_s}"

    @torch.inference_mode()
    def encode(self, clips: Sequence[Samples]) -> list[Tensor]:
        windows = [cut_windows(clip, self.longest) for clip in clips]
        flat = [self.prepare(window) for parts in windows for window in parts]
        encoded = iter(self.encode_windows(flat))
        joined = (torch.cat([next(encoded) for _ in parts], dim=-2) for parts in windows)
        return [pooled(features, self.pool) for features in joined]

    def prepare(self, window: Samples) -> Tensor:
        if self.normalise:
            window = (window - window.mean()) / np.sqrt(window.var() + VARIANCE_FLOOR)
        if len(window) < self.shortest:
            window = np.pad(window, (0, self.shortest - len(window)))
        return torch.from_numpy(np.ascontiguousarray(window, dtype=np.float32))

    def encode_windows(self, windows: Sequence[Tensor]) -> list[Tensor]:
        """Base-size models normalise over time inside their first convolution, so padding would change them: one by
        one. The others take a batch with a mask."""
        if self.model.config.feat_extract_norm == "group":
            return [self.forward(window[None], [len(window)])[0] for window in windows]
        lengths = [len(window) for window in windows]
        return self.forward(torch.nn.utils.rnn.pad_sequence(list(windows), batch_first=True), lengths)

    def forward(self, batch: Tensor, lengths: Sequence[int]) -> list[Tensor]:
        mask = (torch.arange(batch.shape[1]) < torch.tensor(lengths)[:, None]).long()
        even = all(length == batch.shape[1] for length in lengths)
        output = self.model(batch, attention_mask=None if even else mask, output_hidden_states=True)
        states = hidden_states(output)
        frames = [frame_count(self.model, length) for length in lengths]
        return [choose_layers([s[i, :count] for s in states], self.layers) for i, count in enumerate(frames)]


def receptive_field(model: PreTrainedModel) -> int:
    """Samples under one output frame of the convolutions (400 for all published models)."""
    samples = 1
    for kernel, stride in zip(
        reversed(model.config.conv_kernel), reversed(model.config.conv_stride), strict=True
    ):
        samples = (samples - 1) * stride + kernel
    return samples


def frame_count(model: PreTrainedModel, samples: int) -> int:
    """Output frames of the convolutions, none of them reaching into padding."""
    for kernel, stride in zip(model.config.conv_kernel, model.config.conv_stride, strict=True):
        samples = (samples - kernel) // stride + 1
    return samples

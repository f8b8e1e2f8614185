"""The stream of a speaker encoder: hidden states of the GE2E network [1] that comes in the package Resemblyzer.

It was trained to tell voices apart, and hears how a voice is used, too: pitch and effort, which Whisper learns to ignore.
Three recurrent layers over 40 mel bands, 100 frames a second before pooling.

References
----------
[1] Wan, Wang, Papir, Moreno. Generalized end-to-end loss for speaker verification. ICASSP 2018.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tamis.emotion.audio import SAMPLE_RATE_HZ, Samples
from tamis.emotion.features import StreamInfo
from tamis.emotion.streams.encoder import LayerRule, pooled, source

BANDS, WIDTH, LAYERS = 40, 256, 3
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
SPECTRUM, HOP = 400, 160
LOUDNESS_DB = -30.0
"""Quieter recordings are brought up to this level, as in the network's training."""


class SpeakerStream:
    """Hidden states of the layers that ``layers`` names (0 = the first), averaged over ``pool`` frames of 10 ms."""

    def __init__(self, layers: LayerRule = "all", pool: int = 1, weights: Path | None = None) -> None:
        if layers not in ("all", "last", *range(LAYERS)):
            raise ValueError(
                f"stream 'ge2e': layers={layers!r}; expected 'all', 'last' or 0 to {LAYERS - 1}."
            )
        self.layers, self.pool = layers, pool
        self.network, digest = load_network(weights or packaged_weights())
        self.mel = mel_bands()
        self.info = StreamInfo(
            dim=WIDTH,
            layers=LAYERS if layers == "all" else None,
            frame_rate_hz=SAMPLE_RATE_HZ / HOP / pool,
            extra=source("audio", encoder="ge2e", layers=layers, pool=pool),
        )
        self.recipe = f"ge2e/1 {digest} layers={layers} pool={pool}"

    @torch.inference_mode()
    def encode(self, clips: Sequence[Samples]) -> list[Tensor]:
        return [pooled(self.chosen(self.states(clip)), self.pool) for clip in clips]

    def states(self, samples: Samples) -> Tensor:
        """Hidden states of all layers, shape (3, T, 256), T = samples // 160 + 1."""
        x = mel_spectrum(samples, self.mel)[None]
        layers = []
        for lstm in self.network:
            x, _ = lstm(x)
            layers.append(x[0])
        return torch.stack(layers)

    def chosen(self, states: Tensor) -> Tensor:
        return states if self.layers == "all" else states[-1 if self.layers == "last" else int(self.layers)]


def packaged_weights() -> Path:
    """The weights' file in the installed package.

    Raises
    ------
    ModuleNotFoundError   if the package is not installed; the message tells how to get it.
    """
    spec = find_spec("resemblyzer")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "ge2e: its weights come in the package Resemblyzer, which is not installed here.\n"
            "Run pip install --no-deps resemblyzer (its code, and so its dependencies, are not used).",
            name="resemblyzer",
        )
    return Path(spec.origin).parent / "pretrained.pt"


def load_network(path: Path) -> tuple[nn.ModuleList, str]:
    """Three frozen LSTMs, and the hash of the file they come from (16 hex digits)."""
    network = nn.ModuleList(
        nn.LSTM(BANDS if i == 0 else WIDTH, WIDTH, batch_first=True) for i in range(LAYERS)
    )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
        for i, lstm in enumerate(network):
            lstm.load_state_dict({f"{part}_l0": state[f"lstm.{part}_l{i}"] for part in PARTS})
    except (OSError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"stream 'ge2e': {path} does not hold its three layers ({str(error).splitlines()[0]})."
        ) from error
    digest = hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
    return network.requires_grad_(False).eval(), digest


def mel_bands() -> Tensor:
    """Triangular filters (201, 40) from 0 to 8 kHz on Slaney's mel scale, each of unit area."""
    from transformers.audio_utils import mel_filter_bank

    bands = mel_filter_bank(
        SPECTRUM // 2 + 1, BANDS, 0.0, SAMPLE_RATE_HZ / 2, SAMPLE_RATE_HZ, norm="slaney", mel_scale="slaney"
    )
    return torch.from_numpy(np.asarray(bands, dtype=np.float32))


def mel_spectrum(samples: Samples, bands: Tensor) -> Tensor:
    """Mel power spectrum (T, 40), frames of 25 ms centred every 10 ms, after the level has been raised."""
    x = torch.tensor(samples, dtype=torch.float32)
    level_db = 10 * torch.log10(x.square().mean() + 1e-12)
    x = x * 10 ** (torch.clamp(LOUDNESS_DB - level_db, min=0.0) / 20)
    window = torch.hann_window(SPECTRUM)
    spectra = torch.stft(x, SPECTRUM, HOP, window=window, pad_mode="constant", return_complex=True)
    return spectra.abs().square().T @ bands

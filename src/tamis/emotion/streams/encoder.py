"""What a stream's encoder is: frozen, named by a recipe, and asked for one clip's features at a time or for many.

An encoder never sees padding that changes its answer: a clip encoded in a batch gives what it gives alone.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from tamis.emotion.data import StreamInfo, pool_frames
from tamis.emotion.signal import Samples

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LayerRule = Literal["last", "last4", "all"] | int
"""Which hidden states are kept: the last, the sum of the last four (MEDUSA's rule), all of them for learned weights, or
one by its number (0 = the embedded input, -1 = the last)."""

Clip = TypeVar("Clip", contravariant=True)


class Encoder(Protocol, Generic[Clip]):
    """Turns clips (16 kHz samples, or transcripts) into features.

    Attributes
    ----------
    info : StreamInfo
        What the features look like.
    recipe : str
        Everything that decides the numbers (weights' fingerprint, layer rule, pooling): the cache is keyed by it.
    """

    @property
    def info(self) -> StreamInfo: ...

    @property
    def recipe(self) -> str: ...

    def encode(self, clips: Sequence[Clip]) -> list[Tensor]:
        """Features of each clip, (T, D) or (L, T, D), float32, T >= 1, in the order of ``clips``."""
        ...


@dataclass(frozen=True)
class AudioStream:
    """A stream that reads samples."""

    encoder: Encoder[Samples]


@dataclass(frozen=True)
class TextStream:
    """A stream that reads transcripts."""

    encoder: Encoder[str]


Stream = AudioStream | TextStream


def choose_layers(states: Sequence[Tensor], rule: LayerRule) -> Tensor:
    """Apply a layer rule to the hidden states of one clip.

    Parameters
    ----------
    states : sequence of Tensor, shape (T, D)
        Embedded input first, last layer last.

    Returns
    -------
    Tensor, shape (L, T, D) for ``"all"``, else (T, D)
    """
    if rule == "all":
        return torch.stack(list(states))
    if rule == "last":
        return states[-1]
    if rule == "last4":
        return torch.stack(list(states[-4:])).sum(dim=0)
    return states[rule]


def hidden_states(output: Any) -> list[Tensor]:
    """A model's hidden states, its output as the last of them.

    Whether the last recorded state stands before or after the final layer norm changes between releases of
    transformers; the output is always after it, as it was when the published features were made.
    """
    return [*output.hidden_states[:-1], output.last_hidden_state]


def check_rule(rule: LayerRule, states: int, encoder: str) -> None:
    """Refuse a layer rule that an encoder with ``states`` hidden states (its layers and one) cannot serve."""
    known = ("last", "last4", "all")
    fits = -states <= rule < states if isinstance(rule, int) else rule in known
    if rule == "last4" and states < 5:
        fits = False
    if not fits:
        raise ValueError(
            f"stream {encoder!r}: layers={rule!r} does not fit an encoder of {states - 1} layers; expected "
            f"{', '.join(map(repr, known))} or a number from 0 (embedded input) to {states - 1}."
        )


def layers_kept(rule: LayerRule, states: int) -> int | None:
    return states if rule == "all" else None


def pooled(features: Tensor, pool: int) -> Tensor:
    """Average every ``pool`` frames of (..., T, D), as members pool them; no frame is lost."""
    return pool_frames(features.movedim(-2, 0), pool).movedim(0, -2)


def source(reads: Literal["audio", "text"], **open_with: Any) -> dict[str, Any]:
    """What a feature set keeps, so that prediction can open the same encoder: arguments of ``open_stream``."""
    return {"reads": reads, "open": open_with}


def cut_windows(samples: Samples, longest: int) -> list[Samples]:
    """Split a clip into the fewest equal windows of at most ``longest`` samples."""
    count = -(-len(samples) // longest)
    edges = [round(i * len(samples) / count) for i in range(count + 1)]
    return [samples[a:b] for a, b in itertools.pairwise(edges)]


def fingerprint(module: PreTrainedModel) -> str:
    """Hash of a model's configuration and weights, 16 hex digits; where it was loaded from does not matter."""
    config = {
        k: v for k, v in module.config.to_dict().items() if k not in ("_name_or_path", "transformers_version")
    }
    digest = hashlib.blake2b(json.dumps(config, sort_keys=True, default=str).encode(), digest_size=8)
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

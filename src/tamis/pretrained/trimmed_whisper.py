"""A Whisper encoder that does not insist on 30 seconds.

The encoder's own ``forward`` demands 3000 mel frames, so a 4 s clip would cost as much as a 30 s one;
:func:`encode_trimmed` runs any Whisper encoder on the frames that a clip really has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers.models.whisper.modeling_whisper import WhisperEncoder


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

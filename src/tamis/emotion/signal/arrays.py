"""Arrays as recordings: whatever NumPy or PyTorch holds, channels first or last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.emotion.signal.sound import BLOCK, AudioError, Samples, Sound, checked_rate

MOST_CHANNELS: Final = 32
SCALES: Final = {"int8": 2.0**7, "uint8": 2.0**7, "int16": 2.0**15}
"""Full scale by dtype. Wider integers may hold narrower samples: there, and in floats, the samples tell."""


def array_sound(audio: Any, sample_rate_hz: object) -> Sound:
    """An array, tensor or list of samples as a recording.

    Raises
    ------
    AudioError   for another dtype or shape, or an impossible rate.
    """
    if sample_rate_hz is None:
        raise AudioError(
            "predict(array): an array needs its rate, as in predict(array, sample_rate_hz=16000). Audio may also be "
            "a path, the bytes of a file, or a file object."
        )
    rate_hz, values = checked_rate(sample_rate_hz, "read_audio(array)"), frames_first(plain_array(audio))
    kind = values.dtype
    if kind != np.uint8 and not (np.issubdtype(kind, np.floating) or np.issubdtype(kind, np.signedinteger)):
        raise AudioError(f"read_audio(array): samples have dtype {kind}; expected floats or signed integers.")
    return Sound(
        "array",
        rate_hz,
        values.shape[1],
        len(values),
        lambda first, count: blocks(values[first:][:count]),
        full_scale=SCALES.get(kind.name),
        bits=8 * kind.itemsize if kind.kind == "i" else None,
        ceiling=127 / 128 if kind.itemsize == 1 else 1.0,
        centre=2 if values.shape[1] in (3, 5, 6, 7, 8) else None,
    )


def plain_array(audio: Any) -> NDArray[Any]:
    """A NumPy array of what was given: tensors leave their graph, their device and bfloat16."""
    try:
        if hasattr(audio, "detach"):
            tensor = audio.detach().cpu()
            return np.asarray(tensor.float() if tensor.is_floating_point() else tensor)
        return np.asarray(audio)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, meta and sparse tensors
        raise AudioError(
            f"read_audio: {type(audio).__name__} cannot be read as an array of samples ({error}). "
            "Where it is a pair of samples and rate, give them apart, as in predict(samples, rate)."
        ) from error


def frames_first(values: NDArray[Any]) -> NDArray[Any]:
    """Shape (samples, channels), from that, from channels first (torchaudio, librosa), or from one channel."""
    if values.ndim not in (1, 2) or values.size == 0:
        raise AudioError(
            f"read_audio(array): it has shape {values.shape} and dtype {values.dtype}; expected one recording, "
            "(samples,), (samples, channels) or (channels, samples)."
        )
    table = values[:, None] if values.ndim == 1 else values
    table = table.T if table.shape[0] < table.shape[1] else table
    if table.shape[1] > MOST_CHANNELS:
        raise AudioError(
            f"read_audio(array): shape {values.shape} would be {table.shape[1]} channels; is it a spectrogram? "
            "Expected samples."
        )
    return table


def blocks(values: NDArray[Any]) -> Iterator[Samples]:
    middle = 128.0 if values.dtype == np.uint8 else 0.0  # as in WAV files
    for at in range(0, len(values), BLOCK):
        block = values[at : at + BLOCK].astype(np.float32)
        yield block - middle if middle else block

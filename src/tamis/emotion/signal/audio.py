"""Audio in: any file or array becomes float32 mono at 16 kHz, or an error that says what is wrong with it.

Files are decoded by libsndfile and resampled by soxr in blocks, so that an hour of 48 kHz stereo needs the memory of
its 16 kHz result only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import soundfile

SAMPLE_RATE_HZ: Final = 16_000
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000
BLOCK_S = 20.0
CLIPPED_LEVEL = 0.999
CLIPPED_RUN = 3

Samples = NDArray[np.float32]


class AudioError(ValueError):
    """The file or array is not usable audio; the message says why and what would help."""


def read_audio(path: str | Path, start_s: float = 0.0, end_s: float | None = None) -> Samples:
    """Read a file, or a part of it, as float32 mono at 16 kHz.

    Channels are averaged. Silence, clipped samples and clips of a few milliseconds are audio like any other.

    Parameters
    ----------
    path : path
        WAV, FLAC, OGG, MP3 or whatever else libsndfile decodes; any sample rate, width and channel count.
    start_s, end_s : float, optional
        The part to read, in seconds; ``end_s`` beyond the file (by more than a frame or two) is an error.

    Returns
    -------
    ndarray, shape (samples,), float32
        At least one sample.

    Raises
    ------
    FileNotFoundError   if there is no such file.
    AudioError          if it is not audio, is empty or damaged, or holds NaN or infinite samples.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"read_audio: there is no file {path}.")
    soundfile = require_soundfile()
    try:
        with soundfile.SoundFile(path) as file:
            first, count = frame_range(file, path, start_s, end_s)
            file.seek(first)
            blocks = list(resampled(mono_blocks(file, path, count), file.samplerate, path))
    except (soundfile.LibsndfileError, TypeError) as error:
        raise AudioError(
            f"read_audio({path.name}): libsndfile cannot decode it ({error}). Expected WAV, FLAC, OGG or MP3; "
            "video and AAC need converting first, for instance with ffmpeg -i IN -ac 1 -ar 16000 OUT.wav."
        ) from error
    samples = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    if samples.size == 0:
        raise AudioError(f"read_audio({path.name}): it holds no samples between {start_s} s and {end_s} s.")
    return samples


def as_mono_16k(samples: NDArray[np.generic], sample_rate_hz: int) -> Samples:
    """Bring an array to float32 mono at 16 kHz.

    Parameters
    ----------
    samples : ndarray, shape (samples,) or (samples, channels)
        Floats in -1..1, or integers of any width, which are scaled by their full range.
    sample_rate_hz : int
        Rate of ``samples``.

    Raises
    ------
    AudioError   for an empty array, another shape, NaN or infinite samples, or an impossible rate.
    """
    values = np.asarray(samples)
    if values.ndim not in (1, 2) or values.size == 0:
        raise AudioError(
            f"as_mono_16k: the array has shape {values.shape}; expected (samples,) or (samples, channels)."
        )
    if values.ndim == 2 and values.shape[0] < values.shape[1]:
        raise AudioError(
            f"as_mono_16k: an array of shape {values.shape} would be {values.shape[1]} channels of "
            f"{values.shape[0]} samples; expected (samples, channels). Did you mean samples.T?"
        )
    floats = full_scale(values)
    mono = floats if floats.ndim == 1 else floats.mean(axis=1)
    blocks = list(resampled(iter([finite(mono, Path("array"))]), sample_rate_hz, Path("array")))
    return np.concatenate(blocks)


def clipped_share(samples: Samples) -> float:
    """Share of samples, 0..1, that stand at full scale in runs of at least three: what an overdriven input leaves."""
    full = np.abs(samples) >= CLIPPED_LEVEL
    edges = np.flatnonzero(np.diff(np.concatenate(([0], full.view(np.int8), [0]))))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= CLIPPED_RUN].sum() / max(samples.size, 1))


def frame_range(
    file: soundfile.SoundFile, path: Path, start_s: float, end_s: float | None
) -> tuple[int, int]:
    """First frame and number of frames of [start_s, end_s) in ``file``."""
    rate, total = file.samplerate, file.frames
    if not LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ:
        raise AudioError(f"read_audio({path.name}): a sample rate of {rate} Hz is no speech recording.")
    first = round(start_s * rate)
    last = total if end_s is None else round(end_s * rate)
    if not 0 <= first < last or last > total + rate // 10:
        raise AudioError(
            f"read_audio({path.name}): asked for {start_s} s to {end_s} s of a file of {total / rate:.3f} s."
        )
    return first, min(last, total) - first


def mono_blocks(file: soundfile.SoundFile, path: Path, count: int) -> Iterator[Samples]:
    """Blocks of averaged channels; a file that ends before its header says so is damaged."""
    block = max(1, int(BLOCK_S * file.samplerate))
    while count > 0:
        data = file.read(min(block, count), dtype="float32", always_2d=True)
        if len(data) == 0:
            raise AudioError(
                f"read_audio({path.name}): the file ends {count} frames before its header says; it was cut short."
            )
        count -= len(data)
        yield finite(data[:, 0] if data.shape[1] == 1 else data.mean(axis=1), path)


def resampled(blocks: Iterator[Samples], rate_hz: int, path: Path) -> Iterator[Samples]:
    """The same sound at 16 kHz."""
    if rate_hz == SAMPLE_RATE_HZ:
        yield from blocks
        return
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise AudioError(f"{path.name}: a sample rate of {rate_hz} Hz is no speech recording.")
    import soxr

    stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def finite(samples: Samples, path: Path) -> Samples:
    if not np.isfinite(samples).all():
        bad = int(np.count_nonzero(~np.isfinite(samples)))
        raise AudioError(
            f"{path.name}: {bad} of {samples.size} samples are NaN or infinite; write it again from its source."
        )
    return samples


def full_scale(values: NDArray[np.generic]) -> Samples:
    """Floats in -1..1; unsigned bytes are centred on 128, as in WAV files."""
    if np.issubdtype(values.dtype, np.floating):
        return values.astype(np.float32)
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128.0) / 128.0
    if np.issubdtype(values.dtype, np.signedinteger):
        full = float(2 ** (8 * values.dtype.itemsize - 1))
        return (values.astype(np.float64) / full).astype(np.float32)
    raise AudioError(f"as_mono_16k: samples have dtype {values.dtype}; expected floats or signed integers.")


def require_soundfile() -> ModuleType:
    """The soundfile module, or an error that names the extra (libsndfile itself comes inside its wheel)."""
    try:
        import soundfile
    except (ModuleNotFoundError, OSError) as missing:
        raise ModuleNotFoundError(
            f"reading audio needs soundfile and libsndfile ({missing}). Run pip install 'tamis[emotion]'.",
            name="soundfile",
        ) from missing
    module: ModuleType = soundfile
    return module

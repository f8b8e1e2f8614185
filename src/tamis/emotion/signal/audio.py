"""Audio in: a file, stream or array becomes float32 mono at 16 kHz, or an error that says what is wrong with it.

This is the only way in, for prediction, training and corpora. A recording is read twice, in blocks: once to survey it, once to
scale, mix and resample it. So an hour of 48 kHz stereo needs the memory of some blocks.
"""

from __future__ import annotations

import os
from typing import Any, Final

from tamis.emotion.signal.arrays import array_sound
from tamis.emotion.signal.inputs import is_file_like, open_input
from tamis.emotion.signal.mixing import Mixer, resampled
from tamis.emotion.signal.recording import Recording, Store, swings
from tamis.emotion.signal.sound import SAMPLE_RATE_HZ, AudioError, Samples, Sound, checked_rate
from tamis.emotion.signal.survey import Survey, channel_weights, scale_of, survey

TOLERANCE_S: Final = 0.1
"""Headers may be wrong by so much: encoders count in frames of up to 0.07 s."""
CLIPPED: Final = 0.01
SHORT_S, SHORTEST_S = 0.5, 0.025


def read_recording(
    audio: Any, sample_rate_hz: float | None = None, start_s: float = 0.0, end_s: float | None = None
) -> Recording:
    """Read a file, stream or array, or a part of it, as float32 mono at 16 kHz.

    Of several channels, the centre is taken where the layout has one and it is not silent; else the mean of those that
    are not silent; else, where these cancel each other, the loudest. Silence, clipped samples and clips of a few milliseconds
    are audio like any other. What ends before its header says is read as far as it goes.

    Parameters
    ----------
    audio : path, bytes, binary file object, array, tensor or list
        Files as WAV, FLAC, OGG, MP3 or whatever else libsndfile decodes: any sample rate, width and channel count; pipes too. File
        objects are read from where they stand. Arrays hold samples: shape (samples,), (samples, channels) or
        (channels, samples), floats in -1..1 or integers of any width. Floats that hold integers are scaled.
    sample_rate_hz : float, optional
        Rate of an array. For a file it is not needed, and must be the file's.
    start_s, end_s : float, optional
        The part to read, in seconds; ``end_s`` beyond the recording (by more than 0.1 s) is an error.

    Raises
    ------
    FileNotFoundError, IsADirectoryError   if there is no such file.
    AudioError                             if it is not audio, is empty, holds NaN or infinite samples, or fits no scale.
    """
    sound = open_sound(audio, sample_rate_hz)
    first, count = frame_range(sound, start_s, end_s)
    seen = checked(survey(sound, first, count), sound, count)
    weights, mixed = channel_weights(seen.covariance, sound.centre)
    scale, scaled = scale_of(seen, sound)
    mixer = Mixer(weights, scale, sound.ceiling)
    store = Store(resampled(mixer.mono(sound.blocks(first, seen.frames)), sound.rate_hz))
    if store.count == 0:
        raise AudioError(
            f"read_audio({sound.source}): {seen.frames} frames are less than a sample at 16 kHz."
        )
    clipped = mixer.clipped / seen.frames
    notes = (mixed, scaled, f"{clipped:.0%} of the samples are clipped" if clipped > CLIPPED else "")
    missing_s = 0.0 if count is None else max(0.0, (count - seen.frames) / sound.rate_hz)
    return Recording(
        sound.source,
        store,
        notes=tuple(filter(None, notes)),
        doubts=tuple(
            filter(
                None, (cut_short(sound, seen, count, end_s is None), too_short(seen.frames / sound.rate_hz))
            )
        ),
        nothing=nothing_in(store),
        missing_s=missing_s if missing_s > TOLERANCE_S else 0.0,
    )


def read_audio(path: str | os.PathLike[str], start_s: float = 0.0, end_s: float | None = None) -> Samples:
    """Read a file, or a part of it, for training: as :func:`read_recording` does, but a file that is cut short is an error.

    Returns
    -------
    ndarray, shape (samples,), float32, mono at 16 kHz
        At least one sample.

    Raises
    ------
    FileNotFoundError, IsADirectoryError   if there is no such file.
    AudioError                             if it is not audio, or damaged in any way that :func:`read_recording` tells.
    """
    return read_recording(path, None, start_s, end_s).complete().samples()


def open_sound(audio: Any, sample_rate_hz: object = None) -> Sound:
    """The header of a file or stream, or an array, as a recording to be read.

    Raises
    ------
    ModuleNotFoundError   without soundfile; libsndfile itself comes inside its wheel.
    """
    if not is_file_like(audio):
        return array_sound(audio, sample_rate_hz)
    source, file = open_input(audio)
    try:
        from tamis.emotion.signal import decoder
    except (ModuleNotFoundError, OSError) as missing:
        raise ModuleNotFoundError(
            f"reading audio needs soundfile and libsndfile ({missing}). Run pip install 'tamis[emotion]'.",
            name="soundfile",
        ) from missing
    sound = decoder.open_sound(file, source)
    if sample_rate_hz is not None and checked_rate(sample_rate_hz, f"read_audio({source})") != sound.rate_hz:
        raise AudioError(
            f"read_audio({source}): sample_rate_hz={sample_rate_hz}, but the file has {sound.rate_hz:g} Hz; "
            "leave the rate out. (Raw samples are given as an array.)"
        )
    return sound


def length_s(path: str | os.PathLike[str]) -> float:
    """Length of a file in seconds, by its header, or counted where the header does not say.

    Raises
    ------
    FileNotFoundError, AudioError   as :func:`read_recording`.
    """
    sound = open_sound(path)
    frames = survey(sound, 0, None).frames if sound.frames is None else sound.frames
    return frames / sound.rate_hz


def frame_range(sound: Sound, start_s: float, end_s: float | None) -> tuple[int, int | None]:
    """First frame and number of frames of [start_s, end_s); None for all that come."""
    rate, total = sound.rate_hz, sound.frames
    first = round(start_s * rate)
    last = total if end_s is None else round(end_s * rate)
    if last is not None and total == last == 0:
        return 0, 0
    beyond = total is not None and last is not None and last > total + rate * TOLERANCE_S
    if first < 0 or beyond or (last is not None and not first < last):
        length = "unknown length" if total is None else f"{total / rate:.3f} s"
        raise AudioError(
            f"read_audio({sound.source}): asked for {start_s} s to {end_s} s of a file of {length}."
        )
    if last is None:
        return first, None
    return first, (last if total is None else min(last, total)) - first


def checked(seen: Survey, sound: Sound, count: int | None) -> Survey:
    """The survey of a part that holds samples, all of them finite."""
    call = f"read_audio({sound.source})"
    if seen.bad:
        raise AudioError(
            f"{call}: {seen.bad} of {seen.frames * sound.channels} samples are NaN or infinite; write it again from its source."
        )
    if seen.frames == 0:
        stopped = f" ({seen.stopped})" if seen.stopped else ""
        raise AudioError(
            f"{call}: nothing is left of the {count / sound.rate_hz:.2f} s that its header promises{stopped}."
            if count
            else f"{call}: it holds no samples{stopped}; was the recording finished?"
        )
    return seen


def cut_short(sound: Sound, seen: Survey, count: int | None, to_the_end: bool) -> str:
    """What was promised and what was there, where these differ."""
    found_s = seen.frames / sound.rate_hz
    why = f" ({seen.stopped})" if seen.stopped else ""
    if count is not None and (count - seen.frames) / sound.rate_hz > TOLERANCE_S:
        return f"cut short: {count / sound.rate_hz:.2f} s were promised, {found_s:.2f} s could be read{why}"
    if seen.stopped or (sound.endless and to_the_end):
        return f"probably cut short: it ends after {found_s:.2f} s without a mark of its end{why}"
    return ""


def too_short(duration_s: float) -> str:
    return (
        f"only {duration_s:.2f} s long: too short to be judged with confidence"
        if duration_s < SHORT_S
        else ""
    )


def nothing_in(store: Store) -> str:
    """Why nothing can be recognised in a recording."""
    if not swings(store.low, store.high):
        return "nothing is audible"
    return "it is shorter than 25 ms" if store.count < SHORTEST_S * SAMPLE_RATE_HZ else ""

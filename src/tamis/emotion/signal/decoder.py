"""Files by libsndfile: frames in the order in which they stand, and what the header promised of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import soundfile

from tamis.emotion.signal.inputs import File
from tamis.emotion.signal.kinds import CONVERT, HEAD, kind_of
from tamis.emotion.signal.sound import BLOCK, AudioError, DecoderError, Samples, Sound, checked_rate

CEILING: Final = {"PCM_U8": 127 / 128, "PCM_S8": 127 / 128, "ULAW": 32_124 / 32_768, "ALAW": 32_256 / 32_768}
"""The loudest sample of encodings that end noticeably below full scale."""
CENTRE_IN_OGG: Final = {3: 1, 5: 1, 6: 1, 7: 1, 8: 1}
CENTRE_ELSEWHERE: Final = {3: 2, 5: 2, 6: 2, 7: 2, 8: 2}
"""Index of the centre by number of channels: Vorbis and Opus have it second; WAV, FLAC and AIFF third."""
UNKNOWN_BYTES, UNKNOWN_FRAMES = 0x7FFF_0000, 2**48
"""Sizes from here on stand for "not known yet": programs that write into a pipe cannot go back to the header."""
WARM_UP = 4 * BLOCK
"""Frames that are decoded and dropped after a seek: an MP3 frame may draw on bits of some fifteen before it."""
SIZE = re.compile(
    r"^\s*(?:data|SSND|BODY|Data Size|riff|Riff size|Data length)\s*:?\s*(\d+)\s+\(?should be (\d+)",
    re.MULTILINE,
)
NO_END = re.compile(
    r"lacks an end-of-stream bit|without an End-Of-Stream flag|seems to be (a )?truncated", re.I
)
NIST_FRAMES = re.compile(rb"sample_count -i (\d+)")


class Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read in order: soundfile seeks after each read of a seekable file, and not every decoder can."""

    def seekable(self) -> bool:
        return False


def open_sound(file: File, source: str) -> Sound:
    """Read the header of an audio file.

    Raises
    ------
    AudioError   if libsndfile does not decode it; the message says what the file is, as far as its first bytes tell.
    """
    try:
        with opened(file) as sound:
            return Sound(
                source,
                checked_rate(sound.samplerate, f"read_audio({source})"),
                sound.channels,
                promised_frames(sound, file),
                lambda first, count: blocks(file, first, count),
                full_scale=None if sound.subtype in ("FLOAT", "DOUBLE") else 1.0,
                ceiling=CEILING.get(sound.subtype, 1.0),
                centre=(CENTRE_IN_OGG if sound.format == "OGG" else CENTRE_ELSEWHERE).get(sound.channels),
                endless=NO_END.search(sound.extra_info) is not None,
            )
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: samples without a header
        if kind := kind_of(beginning(file, HEAD)):
            raise AudioError(f"read_audio({source}): it is {kind}.") from error
        raise AudioError(
            f"read_audio({source}): libsndfile cannot decode it ({error}). Expected WAV, FLAC, OGG or MP3; "
            f"video and AAC need converting: {CONVERT}."
        ) from error


def opened(file: File) -> Sequential:
    if not isinstance(file, bytes):
        file.seek(0)
    return Sequential(file)


def beginning(file: File, count: int) -> bytes:
    if isinstance(file, bytes):
        with Path(os.fsdecode(file)).open("rb") as stream:
            return stream.read(count)
    file.seek(0)
    return file.read(count)


def promised_frames(sound: soundfile.SoundFile, file: File) -> int | None:
    """Frames by the header, None where it does not say: libsndfile cuts a size that is too large, and tells so in its log."""
    if sound.format == "NIST" and (count := NIST_FRAMES.search(beginning(file, 1024))):
        return int(count[1])
    if sound.format == "MP3" and not states_length(file):
        return None
    frames = None if sound.frames >= UNKNOWN_FRAMES else int(sound.frames)
    sizes = [(int(stated), int(real)) for stated, real in SIZE.findall(sound.extra_info)]
    if frames is None or not sizes or not sizes[-1][1]:
        return frames
    stated, real = sizes[-1]
    return round(frames * stated / real) if real < stated < UNKNOWN_BYTES else frames


def states_length(mp3: File) -> bool:
    """Whether an MP3 file begins with a frame that counts the others; without it, its length is a guess by libsndfile."""
    tag = beginning(mp3, 10)
    size = sum(byte << shift for byte, shift in zip(tag[6:10], (21, 14, 7, 0), strict=True)) + 10
    head = beginning(mp3, (size if tag[:3] == b"ID3" else 0) + 2048)[-2048:]
    return any(mark in head for mark in (b"Xing", b"Info", b"VBRI"))


def blocks(file: File, first: int, count: int | None) -> Iterator[Samples]:
    """``count`` frames (or all) from ``first`` on.

    Raises
    ------
    DecoderError   where the decoder cannot go on.
    """
    try:
        with at_frame(file, first) as sound:
            left = UNKNOWN_FRAMES if count is None else count
            while left > 0:
                block = sound.read(min(BLOCK, left), dtype="float32", always_2d=True)
                if len(block) == 0:
                    return
                left -= len(block)
                yield block
    except soundfile.LibsndfileError as error:
        raise DecoderError(str(error)) from error


def at_frame(file: File, first: int) -> Sequential:
    """The file at a frame: by seeking to some frames before it, or by decoding all before it where the decoder cannot seek."""
    sound = opened(file)
    before = max(0, first - WARM_UP)
    try:
        if before:
            sound.seek(before)
    except soundfile.LibsndfileError:
        sound.close()
        sound, before = opened(file), 0
    for at in range(before, first, BLOCK):
        sound.read(min(BLOCK, first - at), dtype="float32")
    return sound

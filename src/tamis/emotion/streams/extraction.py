"""Run frozen encoders over a corpus, each clip once, and write a feature set.

Files are named by the hash of what they were made from (audio bytes, the part of them, augmentation, encoder recipe): a
second run, an interrupted run and a corpus that grew find what exists and encode the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tamis.emotion.corpora import Corpus
from tamis.emotion.data import write_index, write_stream
from tamis.emotion.signal import (
    AudioError,
    Samples,
    length_s,
    make_variant,
    parse_variant,
    read_recording,
)
from tamis.emotion.streams.encoder import Stream, TextStream
from tamis.storage import folder_lock, remove_leftovers

Progress = Callable[[str, int, int], None]
"""Called with the stream's name, clips done and clips in all."""

BATCH_S = 30.0
"""Seconds of audio, padding counted, in one batch: on a CPU small batches stay in the caches and are the faster ones."""
TEXT_BATCH = 32


@dataclass(frozen=True)
class Clip:
    """One utterance, or one augmented variant of it, on its way through an encoder."""

    row: int
    variant: str
    source: str
    duration_s: float
    text: str


@dataclass
class Extraction:
    """What an extraction did: clips encoded and found per stream, what was skipped and why, and what was done with odd recordings.

    ``noted`` holds, by utterance, the notes of recordings that were encoded now (channels, scale, clipping).
    """

    encoded: dict[str, int] = field(default_factory=dict)
    reused: dict[str, int] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    noted: dict[str, str] = field(default_factory=dict)


def extract(
    corpus: Corpus,
    folder: str | Path,
    streams: Mapping[str, Stream],
    variants: Sequence[str] = (),
    dtype: Literal["float16", "float32"] = "float16",
    progress: Progress | None = None,
) -> Extraction:
    """Write the features of a corpus.

    Parameters
    ----------
    corpus : Corpus
    folder : path
        The feature set to make or complete.
    streams : mapping of name to Stream
    variants : sequence of str
        Augmentations (:mod:`tamis.emotion.signal.variants`) made of every utterance, besides the original.
    dtype : "float16" or "float32"
        Of the files.
    progress : callable, optional
        Told after every batch.

    Notes
    -----
    The folder is held alone: another extraction into it waits. What a killed one was writing is removed.

    Returns
    -------
    Extraction
        Missing and damaged audio is listed in it and left out of the set, never raised.

    Raises
    ------
    ValueError   for an unknown variant, no streams, or if not one utterance could be read.
    """
    if not streams:
        raise ValueError("extract: no streams given; name at least one.")
    for variant in variants:
        parse_variant(variant)
    folder, done = Path(folder), Extraction()
    with folder_lock(folder):
        remove_leftovers(folder)
        write_set(corpus, folder, streams, variants, dtype, done, progress)
    return done


def write_set(
    corpus: Corpus,
    folder: Path,
    streams: Mapping[str, Stream],
    variants: Sequence[str],
    dtype: Literal["float16", "float32"],
    done: Extraction,
    progress: Progress | None,
) -> None:
    clips = list(open_clips(corpus, variants, done))
    if not clips:
        raise ValueError(
            f"extract: none of the {len(corpus)} utterances of {corpus.name!r} could be read. {first_reason(done)}"
        )
    columns = {
        name: encode_stream(corpus, clips, folder, name, stream, dtype, done, progress)
        for name, stream in streams.items()
    }
    table = index_table(corpus, clips, columns)
    whole = (table[[f"frames/{name}" for name in streams]] > 0).all(axis=1)
    note_skipped(done, corpus, [clip for clip, ok in zip(clips, whole, strict=True) if not ok])
    table = table[whole]
    if table.empty:
        raise ValueError(f"extract: no utterance of {corpus.name!r} could be encoded. {first_reason(done)}")
    infos = {name: stream.encoder.info for name, stream in streams.items()}
    write_index(folder, table.reset_index(drop=True), corpus.categories, infos)


def note_skipped(done: Extraction, corpus: Corpus, clips: Sequence[Clip]) -> None:
    """Also list those that share the bytes of a damaged recording, which was tried once only."""
    known = {name for name, _ in done.skipped}
    for clip in clips:
        name = corpus.table["utterance"].iloc[clip.row]
        if name not in known:
            known.add(name)
            done.skipped.append((name, "its audio is the same as that of another skipped utterance"))


def first_reason(done: Extraction) -> str:
    return f"The first: {done.skipped[0][0]}: {done.skipped[0][1]}" if done.skipped else ""


def open_clips(corpus: Corpus, variants: Sequence[str], done: Extraction) -> Iterator[Clip]:
    """Hash every audio file once; what cannot be opened goes to ``done.skipped``."""
    for row, (name, start_s, end_s, text) in enumerate(
        zip(*(corpus.table[c] for c in ("utterance", "start_s", "end_s", "text")), strict=True)
    ):
        try:
            digest, duration_s = audio_identity(corpus.audio_path(row), start_s, end_s)
        except (OSError, AudioError) as error:
            done.skipped.append((name, str(error)))
            continue
        for variant in ("", *variants):
            yield Clip(row, variant, digest, duration_s, text)


def audio_identity(path: Path, start_s: float, end_s: float) -> tuple[str, float]:
    """Hash of a file and of the part that is meant, and that part's length in seconds."""
    total_s = length_s(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
    digest.update(f"{start_s}..{end_s}".encode())
    first, last = np.nan_to_num(start_s, nan=0.0), total_s if np.isnan(end_s) else end_s
    return digest.hexdigest(), float(max(last - first, 0.0))


def encode_stream(
    corpus: Corpus,
    clips: Sequence[Clip],
    folder: Path,
    name: str,
    stream: Stream,
    dtype: Literal["float16", "float32"],
    done: Extraction,
    progress: Progress | None,
) -> dict[int, tuple[str, int]]:
    """Path and number of frames by clip number, for the clips that this stream has."""
    key = [file_key(clip, stream, dtype) for clip in clips]
    frames = known_frames(folder, name, set(key))
    pending = {key[i]: i for i in range(len(clips)) if key[i] not in frames}  # equal clips are encoded once
    done.reused[name] = len(set(key)) - len(pending)
    done.encoded[name] = 0
    finished = done.reused[name]
    for batch in batches([clips[i] for i in pending.values()], stream):
        read = [(clip, x) for clip in batch if (x := clip_input(corpus, clip, stream, done)) is not None]
        for (clip, _), features in zip(read, run_encoder(stream, [x for _, x in read]), strict=True):
            clip_key = file_key(clip, stream, dtype)
            write_stream(
                folder, name, clip_key, storable(features, dtype, corpus.table["utterance"].iloc[clip.row])
            )
            frames[clip_key] = features.shape[-2]
        done.encoded[name] += len(read)
        finished += len(batch)
        if progress:
            progress(name, finished, len(set(key)))
    return {
        i: (f"{name}/{key[i]}.safetensors", frames[key[i]]) for i in range(len(clips)) if key[i] in frames
    }


def run_encoder(stream: Stream, inputs: list[Any]) -> list[Tensor]:
    return stream.encoder.encode(inputs) if inputs else []


def file_key(clip: Clip, stream: Stream, dtype: str) -> str:
    what = clip.text if isinstance(stream, TextStream) else f"{clip.source} {clip.variant}"
    return hashlib.blake2b(f"{stream.encoder.recipe}\0{dtype}\0{what}".encode(), digest_size=16).hexdigest()


def known_frames(folder: Path, name: str, keys: set[str]) -> dict[str, int]:
    """Frames of the files of earlier runs; a file that cannot be read counts as missing and is made again."""
    from safetensors import SafetensorError, safe_open

    frames = {}
    for path in (folder / name).glob("*.safetensors"):
        if path.stem in keys:
            try:
                with safe_open(path, framework="pt") as file:
                    frames[path.stem] = file.get_slice("features").get_shape()[-2]
            except (SafetensorError, OSError):
                continue
    return frames


def batches(clips: Sequence[Clip], stream: Stream) -> Iterator[list[Clip]]:
    """Clips of similar length together, longest first, so that a batch too large for the memory fails at once."""
    by_text = isinstance(stream, TextStream)
    batch: list[Clip] = []
    for clip in sorted(clips, key=lambda c: len(c.text) if by_text else c.duration_s, reverse=True):
        longest_s = max(batch[0].duration_s if batch else clip.duration_s, 0.1)
        if batch and (len(batch) >= TEXT_BATCH if by_text else (len(batch) + 1) * longest_s > BATCH_S):
            yield batch
            batch = []
        batch.append(clip)
    if batch:
        yield batch


def clip_input(corpus: Corpus, clip: Clip, stream: Stream, done: Extraction) -> Samples | str | None:
    """What the encoder reads, or None (and a line in ``done.skipped``) where the audio turns out damaged."""
    if isinstance(stream, TextStream):
        return clip.text
    row = corpus.table.iloc[clip.row]
    end_s = None if np.isnan(row["end_s"]) else float(row["end_s"])
    try:
        recording = read_recording(
            corpus.audio_path(clip.row), None, float(np.nan_to_num(row["start_s"])), end_s
        ).complete()
    except (OSError, AudioError) as error:
        if not any(name == row["utterance"] for name, _ in done.skipped):
            done.skipped.append((row["utterance"], str(error)))
        return None
    if recording.notes:
        done.noted[row["utterance"]] = "; ".join(recording.notes)
    return make_variant(recording.samples(), clip.variant, seed=clip.source)


def storable(features: Tensor, dtype: Literal["float16", "float32"], utterance: str) -> Tensor:
    stored = features.to(getattr(torch, dtype))
    if not torch.isfinite(stored).all():
        raise ValueError(
            f"extract: features of {utterance!r} do not fit {dtype} (largest {features.abs().max():.3g}); "
            "store them as float32."
        )
    return stored


def index_table(
    corpus: Corpus, clips: Sequence[Clip], columns: Mapping[str, Mapping[int, tuple[str, int]]]
) -> pd.DataFrame:
    table = corpus.table.iloc[[clip.row for clip in clips]].reset_index(drop=True)
    original = table["utterance"].copy()
    variant = pd.Series([clip.variant for clip in clips])
    table["utterance"] = original.where(variant == "", original + "@" + variant)
    table["variant"], table["source"] = variant, original.where(variant != "", "")
    table["duration_s"] = [clip.duration_s for clip in clips]
    for name, found in columns.items():
        table[f"stream/{name}"] = [found.get(i, ("", 0))[0] for i in range(len(clips))]
        table[f"frames/{name}"] = [found.get(i, ("", 0))[1] for i in range(len(clips))]
    return table

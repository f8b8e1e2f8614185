"""From a recording to a prediction: voice activity, windows, streams, ensemble, prior, timeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tamis.emotion.corpora import ATTRIBUTES
from tamis.emotion.predict.contribution import shapley
from tamis.emotion.predict.ensemble import Ensemble, Features
from tamis.emotion.predict.prior import Prior, adjust, target_shares
from tamis.emotion.predict.result import EmotionResult, Moment, entropy, p_disagree
from tamis.emotion.signal import (
    Recording,
    Segment,
    holds_speech,
    is_audible,
    make_variant,
    merge_segments,
    plan_windows,
    read_recording,
    speech_segments,
)
from tamis.emotion.streams import Stream, TextStream, Transcriber, open_stream, open_transcriber
from tamis.pretrained import TINY_EN, TinyEn, load_tiny_en

WHOLE_S = 15.0
"""Recordings up to this length are predicted whole, like the utterances of a corpus."""
TRANSCRIBED_S = 28.0
BATCH = 4
MOST_STREAMS = 5

Floats = NDArray[np.float64]
TranscriptOf = Callable[[Segment], str]


class Recogniser:
    """A trained ensemble with its encoders, ready for recordings.

    Parameters
    ----------
    folder : path
        What training wrote, or ``tamis emotion export`` made of it.
    transcriber : str or None
        ``"whisper-tiny.en"``, a Whisper folder or hub model, or None: no transcripts; streams that read text are then
        missing, which the ensemble is trained for.
    """

    def __init__(self, folder: str | Path, transcriber: str | None = TINY_EN) -> None:
        self.ensemble = Ensemble(folder)
        wanted = [transcriber, *(s.open_with["encoder"] for s in self.ensemble.streams.values())]
        tiny_en = load_tiny_en() if TINY_EN in wanted else None
        self.encoders = open_encoders(self.ensemble, tiny_en)
        self.transcriber: Transcriber | None = open_transcriber(transcriber, tiny_en) if transcriber else None

    @property
    def categories(self) -> tuple[str, ...]:
        return self.ensemble.categories

    def predict(
        self,
        audio: Any,
        sample_rate_hz: float | None = None,
        *,
        prior: Prior = "trained",
        window_s: float = 10.0,
        hop_s: float = 5.0,
        voice_activity: bool = True,
        contributions: bool = True,
    ) -> EmotionResult:
        """Predict one recording of any length and sample rate.

        Parameters
        ----------
        audio : path, bytes, binary file object, array, tensor or list
            See :func:`tamis.emotion.signal.read_recording`: files of any kind that libsndfile decodes, pipes, standard input
            (``sys.stdin.buffer``); samples of shape (samples,), (samples, channels) or (channels, samples).
        sample_rate_hz : float, optional
            Needed with an array.
        prior : "trained", "natural", "balanced" or mapping of category to share
            How common the categories are where this is used; categories that a mapping leaves out are ruled out.
        window_s, hop_s : float
            Windows of recordings longer than 15 s.
        voice_activity : bool
            Use speech only; otherwise all of the recording that is audible is taken for speech.
        contributions : bool
            Also compute what each stream adds; costs a run of the heads per subset of streams.

        Returns
        -------
        EmotionResult
            Without speech, ``speech`` is False and nothing is claimed. ``trusted`` is False for a recording that is cut
            short or very short; ``notes`` say why.

        Raises
        ------
        AudioError                             for what is no audio, and for an array without its rate.
        FileNotFoundError, IsADirectoryError   for a path that leads to no file.
        ValueError                             for a prior that does not fit the model.
        """
        wanted = target_shares(prior, self.categories, self.ensemble.natural, self.ensemble.trained)
        recording = read_recording(audio, sample_rate_hz)
        speech = find_speech(recording, voice_activity)
        short = recording.duration_s <= WHOLE_S
        planned = speech if short else plan_windows(speech, recording.duration_s, window_s, hop_s)
        windows = [window for window in planned if is_audible(recording.samples(*window))]
        notes = (*recording.doubts, *recording.notes, *window_notes(recording, planned, windows))
        answer = EmotionResult(
            recording.source,
            recording.duration_s,
            speech=bool(windows),
            notes=notes,
            trusted=not recording.doubts,
        )
        if not windows:
            return answer
        transcript_of = self.transcript_of(recording)
        parts = [
            self.predict_windows(recording, batch, transcript_of, wanted, contributions)
            for batch in batches(windows)
        ]
        p, attributes = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        weights = np.array([end_s - start_s for start_s, end_s in windows])
        weights /= weights.sum()
        votes = dict(zip(self.categories, (weights @ p).tolist(), strict=True))
        subsets = {s: np.concatenate([part[2][s] for part in parts]) for s in parts[0][2]}
        return replace(
            answer,
            votes=votes,
            entropy=entropy(votes),
            p_disagree=p_disagree(votes),
            attributes=self.named_attributes(weights @ attributes),
            transcript=None
            if transcript_of is None
            else " ".join(filter(None, map(transcript_of, merge_segments(speech, TRANSCRIBED_S)))),
            contributions=self.contributions(subsets, weights, votes),
            timeline=tuple(self.moments(windows, p, attributes)),
        )

    def predict_windows(
        self,
        recording: Recording,
        windows: Sequence[Segment],
        transcript_of: TranscriptOf | None,
        wanted: Floats,
        contributions: bool,
    ) -> tuple[Floats, Floats, dict[frozenset[str], Floats]]:
        """Probabilities (B, C) and attributes (B, 3) of some windows; and probabilities by the streams that were used."""
        variants = self.encode(recording, windows, transcript_of)
        everything = frozenset(name for name, found in variants[0].items() if found is not None)
        subsets = subsets_of(everything) if contributions and len(everything) <= MOST_STREAMS else []
        p, attributes = self.ensemble.predict(variants)
        trained = self.ensemble.trained
        by_subset = {
            subset: adjust(self.ensemble.predict(variants, only=subset)[0], trained, wanted)
            for subset in subsets
            if subset != everything
        }
        p = adjust(p, trained, wanted)
        return p, attributes, {**by_subset, everything: p}

    def encode(
        self, recording: Recording, windows: Sequence[Segment], transcript_of: TranscriptOf | None
    ) -> list[Features]:
        """Features by stream, of the windows as they are and of each variant.

        Each distinct encoder runs once per variant, text once in all; it is None where there is no transcriber.
        """
        by_recipe: dict[str, list[Sequence[Tensor] | None]] = {}
        for stream in self.encoders.values():
            recipe = stream.encoder.recipe
            if recipe not in by_recipe:
                by_recipe[recipe] = self.encode_variants(stream, recording, windows, transcript_of)
        return [
            {name: by_recipe[stream.encoder.recipe][i] for name, stream in self.encoders.items()}
            for i in range(1 + len(self.ensemble.variants))
        ]

    def encode_variants(
        self,
        stream: Stream,
        recording: Recording,
        windows: Sequence[Segment],
        transcript_of: TranscriptOf | None,
    ) -> list[Sequence[Tensor] | None]:
        variants = ("", *self.ensemble.variants)
        if isinstance(stream, TextStream):
            text = (
                None if transcript_of is None else stream.encoder.encode([transcript_of(w) for w in windows])
            )
            return [text] * len(variants)
        clips = [recording.samples(*window) for window in windows]
        return [
            stream.encoder.encode([make_variant(clip, variant) for clip in clips]) for variant in variants
        ]

    def transcript_of(self, recording: Recording) -> TranscriptOf | None:
        """The transcript of a stretch of the recording, made once however often it is asked for."""
        transcriber = self.transcriber
        if transcriber is None:
            return None
        return cache(lambda segment: transcriber.transcribe(recording.samples(*segment)))

    def contributions(
        self, subsets: Mapping[frozenset[str], Floats], weights: Floats, votes: Mapping[str, float]
    ) -> dict[str, float]:
        if len(subsets) == 1:
            return {}
        top = self.categories.index(max(votes, key=votes.__getitem__))
        everything = max(subsets, key=len)
        return shapley(sorted(everything), lambda subset: float(weights @ subsets[subset][:, top]))

    def named_attributes(self, values: Floats) -> dict[str, float] | None:
        named = dict(zip(ATTRIBUTES, values.tolist(), strict=True))
        return {name: named[name] for name in self.ensemble.attributes} or None

    def moments(self, windows: Sequence[Segment], p: Floats, attributes: Floats) -> Iterator[Moment]:
        for (start_s, end_s), votes, values in zip(windows, p.tolist(), attributes, strict=True):
            named = dict(zip(self.categories, votes, strict=True))
            yield Moment(start_s, end_s, named, self.named_attributes(values))


def open_encoders(ensemble: Ensemble, tiny_en: TinyEn | None) -> dict[str, Stream]:
    """One encoder per stream; streams that are views of the same encoder share it."""
    shared: dict[str, Stream] = {}
    encoders = {}
    for name, stream in ensemble.streams.items():
        key = repr(sorted(stream.open_with.items()))
        if key not in shared:
            shared[key] = open_stream(**stream.open_with, tiny_en=tiny_en)
        encoders[name] = shared[key]
    return encoders


def batches(windows: Sequence[Segment]) -> Iterator[Sequence[Segment]]:
    return (windows[i : i + BATCH] for i in range(0, len(windows), BATCH))


def find_speech(recording: Recording, voice_activity: bool) -> list[Segment]:
    """All of a short recording if anybody speaks in it; of a long one, the stretches of speech."""
    whole = [(0.0, recording.duration_s)]
    if recording.nothing:
        return []
    if not voice_activity:
        return whole
    if recording.duration_s <= WHOLE_S:
        return whole if holds_speech(recording.samples()) else []
    return speech_segments(recording)


def window_notes(
    recording: Recording, planned: Sequence[Segment], windows: Sequence[Segment]
) -> Iterator[str]:
    if recording.nothing:
        yield recording.nothing
    if not windows:
        yield "no speech was found"
    elif left_out := len(planned) - len(windows):
        yield f"{left_out} of {len(planned)} windows are silent and were left out"


def subsets_of(streams: frozenset[str]) -> list[frozenset[str]]:
    return [frozenset(g) for size in range(len(streams) + 1) for g in combinations(sorted(streams), size)]


def load(where: str | Path, transcriber: str | None = TINY_EN) -> Recogniser:
    """Load a recogniser.

    Parameters
    ----------
    where : path
        The folder that ``tamis emotion train`` wrote, or ``tamis emotion export`` made of it.
    transcriber : str or None
        Who writes the transcript, see :class:`Recogniser`.

    Raises
    ------
    FileNotFoundError   if there is no finished training; for ``"demo"``, with the way to train one.
    ValueError          if weights and description do not belong together.
    """
    if where == "demo" and not Path("demo").is_dir():
        raise FileNotFoundError(
            "emotion.load('demo'): no trained weights are shipped, because no corpus that may be trained on freely was at "
            "hand. Train your own in a few minutes: `tamis emotion features ravdess FOLDER -o features`, "
            "`tamis emotion train CONFIG.toml`, then emotion.load(OUTPUT). docs/emotion.md shows it step by step."
        )
    return Recogniser(where, transcriber)

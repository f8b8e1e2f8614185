"""A trained ensemble, read from the folder that training wrote: streams' features in, distribution and attributes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tamis.emotion.data import PackedFrames, StreamView, view_frames
from tamis.emotion.network import MetaClassifier, meta_inputs, meta_predict, new_member
from tamis.emotion.predict.members import TrainedMember, predict
from tamis.emotion.predict.record import (
    RECOGNISER,
    WEIGHTS,
    MemberRecord,
    RecogniserRecord,
    StreamRecord,
    read_recogniser,
)
from tamis.storage import read_tensors

Features = Mapping[str, Sequence[Tensor | None] | None]
"""Per stream the features of B clips, (T, D) or (L, T, D) as its encoder gives them; None where a clip lacks the stream,
or all do."""


@dataclass(frozen=True)
class TrainedStream:
    """One stream of the ensemble: how its encoder is opened, and how members see what it gives."""

    view: StreamView
    dim: int
    layers: int | None
    reads: str
    open_with: Mapping[str, Any]


class Ensemble:
    """The heads of a recogniser: all members and the meta-classifier over them.

    Attributes
    ----------
    categories : tuple of str
    attributes : tuple of str
        Those that the model has learnt; empty if its corpus had none.
    natural, trained : tuple of float
        Shares of the categories in the training corpus, and those the model stands for.
    streams : dict of name to TrainedStream
    variants : tuple of str
        Augmentations of a clip that are predicted besides it; the members' predictions are averaged.
    members : list of TrainedMember
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        record = read_recogniser(self.folder)
        self.categories = record.categories
        self.attributes = record.attributes
        self.natural = record.prior.natural
        even = (1.0 / len(self.categories),) * len(self.categories)
        self.trained = self.natural if record.prior.trained == "natural" else even
        self.streams = {name: trained_stream(self.folder, name, s) for name, s in record.streams.items()}
        self.variants = record.heard_variants
        self.inputs = record.meta_inputs
        self.members = [TrainedMember(m.streams, self._model(record, m)) for m in record.members]
        self.meta = MetaClassifier(len(self.members), len(self.categories))
        load_weights(self.meta, self.folder / WEIGHTS)

    def _model(self, record: RecogniserRecord, member: MemberRecord) -> nn.Module:
        if unknown := [name for name in member.streams if name not in self.streams]:
            raise ValueError(
                f"emotion.load({self.folder}): {RECOGNISER} does not describe the stream(s) {', '.join(unknown)} of member "
                f"{member.name!r}; it is damaged, train anew."
            )
        shapes = {name: (self.streams[name].dim, self.streams[name].layers) for name in member.streams}
        model = new_member(member.kind, shapes, len(self.categories), record.architecture)
        load_weights(model, self.folder / member.weights)
        return model

    @torch.inference_mode()
    def predict(
        self, variants: Sequence[Features], only: frozenset[str] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Calibrated probabilities (B, C) and attributes (B, 3) of B clips.

        Parameters
        ----------
        variants : sequence of Features
            Of the clips as they are and, in any order, of their variants.
        only : set of str, optional
            Streams to use, as if the others were missing.
        """
        count = next(len(clips) for clips in variants[0].values() if clips is not None)
        frames = self.pack(variants, count, only)
        rows = [np.arange(count) + i * count for i in range(len(variants))]
        return meta_predict(self.meta, meta_inputs(*predict(self.members, frames, rows), self.inputs))

    def pack(
        self, variants: Sequence[Features], count: int, only: frozenset[str] | None = None
    ) -> dict[str, PackedFrames]:
        """Frames of every stream as members see them: ``count`` rows for the clips, then as many for each variant."""
        packed = {}
        for name, stream in self.streams.items():
            utterances: list[Tensor] = []
            for features in variants:
                clips = features.get(name) if only is None or name in only else None
                utterances += stream_frames(stream, clips, count)
            packed[name] = PackedFrames.of(utterances, stream.dim, stream.layers)
        return packed


def stream_frames(stream: TrainedStream, clips: Sequence[Tensor | None] | None, count: int) -> list[Tensor]:
    """Frames of ``count`` clips as members see them; none (T = 0) where the stream is missing."""
    empty = torch.zeros(0, *(() if stream.layers is None else (stream.layers,)), stream.dim)
    return [
        empty if clip is None else view_frames(clip.float(), stream.view)
        for clip in ([None] * count if clips is None else clips)
    ]


def trained_stream(folder: Path, name: str, record: StreamRecord) -> TrainedStream:
    if "open" not in record.source:
        raise ValueError(
            f"emotion.load({folder}): stream {name!r} was trained on features that do not tell their encoder, so new "
            "audio cannot be encoded the same way. Make the features with `tamis emotion features` and train again."
        )
    return TrainedStream(
        record.view, record.dim, record.layers, record.source["reads"], record.source["open"]
    )


def load_weights(module: nn.Module, path: Path) -> None:
    """Load and freeze; weights that do not fit the description are an error that names the file."""
    try:
        module.load_state_dict(read_tensors(path)[0], strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"emotion.load: {path} cannot be used with its recogniser.json: {str(error).splitlines()[0]} "
            "The folder mixes files of different trainings, or was copied in part."
        ) from error
    module.requires_grad_(False).eval()

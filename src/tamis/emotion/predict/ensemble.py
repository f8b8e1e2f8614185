"""A trained ensemble, read from the folder that training wrote: streams' features in, distribution and attributes out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from tamis.emotion.corpora.categories import ATTRIBUTES
from tamis.emotion.data.packed_frames import StreamView, view_frames
from tamis.emotion.data.predictions import Predictions
from tamis.emotion.network.new_member import new_member
from tamis.emotion.network.settings import Architecture
from tamis.emotion.train.meta import MetaClassifier, meta_inputs, meta_predict

Features = Mapping[str, Sequence[Tensor] | None]
RECOGNISER = Path("ensemble") / "recogniser.json"
WEIGHTS = Path("ensemble") / "weights.safetensors"


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
    heard_variants : tuple of str
        Augmentations of a clip that are heard besides it; the members' predictions are averaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        record = read_record(self.folder)
        try:
            self.categories: tuple[str, ...] = tuple(record["categories"])
            self.attributes: tuple[str, ...] = tuple(record["attributes"])
            self.natural: tuple[float, ...] = tuple(record["prior"]["natural"])
            self.trained = self.natural if record["prior"]["trained"] == "natural" else self._even()
            self.streams = {
                name: trained_stream(self.folder, name, s) for name, s in record["streams"].items()
            }
            self.heard_variants: tuple[str, ...] = tuple(record["heard_variants"])
            self.inputs: str = record["meta_inputs"]
            architecture = Architecture(**record["architecture"])
            self.members = [(tuple(m["streams"]), self._member(m, architecture)) for m in record["members"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"emotion.load({self.folder}): {RECOGNISER} is damaged or of another version ({error!r}); train anew."
            ) from error
        self.meta = MetaClassifier(len(self.members), len(self.categories))
        load_weights(self.meta, self.folder / WEIGHTS)

    def _even(self) -> tuple[float, ...]:
        return (1.0 / len(self.categories),) * len(self.categories)

    def _member(self, record: Mapping[str, Any], architecture: Architecture) -> nn.Module:
        shapes = {name: (self.streams[name].dim, self.streams[name].layers) for name in record["streams"]}
        member = new_member(record["kind"], shapes, len(self.categories), architecture)
        load_weights(member, self.folder / record["weights"])
        return member

    @torch.inference_mode()
    def predict(
        self, versions: Sequence[Features], hear: frozenset[str] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Calibrated probabilities (B, C) and attributes (B, 3) of B clips.

        Parameters
        ----------
        versions : sequence of mappings of stream to B tensors, (T, D) or (L, T, D) as its encoder gives them
            Of the clips as they are and, in any order, of their variants. None for a stream that is missing.
        hear : set of str, optional
            Hear these streams only, as if the others were missing.
        """
        heard = torch.stack([self._outputs(features, hear) for features in versions]).mean(dim=0)
        logits, attributes = heard.double().split([len(self.categories), len(ATTRIBUTES)], dim=2)
        names = np.array([str(i) for i in range(heard.shape[1])], dtype=object)
        parts = [
            Predictions(names, names, self.categories, p.numpy(), a.numpy())
            for p, a in zip(logits.softmax(dim=2), attributes, strict=True)
        ]
        return meta_predict(self.meta, meta_inputs(parts, self.inputs))

    def _outputs(self, features: Features, hear: frozenset[str] | None) -> Tensor:
        """Log-probabilities and attributes of every member, shape (M, B, C + 3)."""
        count = next(len(clips) for clips in features.values() if clips is not None)
        padded = {
            name: self._padded(name, features.get(name) if hear is None or name in hear else None, count)
            for name in self.streams
        }
        outputs = []
        for streams, member in self.members:
            out = member({s: padded[s][0] for s in streams}, {s: padded[s][1] for s in streams})
            outputs.append(torch.cat([F.log_softmax(out.logits, dim=1), out.attributes], dim=1))
        return torch.stack(outputs)

    def _padded(self, name: str, clips: Sequence[Tensor] | None, count: int) -> tuple[Tensor, Tensor]:
        """Zero-padded frames (B, T, …) and their mask (B, T)."""
        stream = self.streams[name]
        if clips is None:
            layers = () if stream.layers is None else (stream.layers,)
            return torch.zeros(count, 1, *layers, stream.dim), torch.zeros(count, 1, dtype=torch.bool)
        frames = [view_frames(clip.float(), stream.view) for clip in clips]
        lengths = torch.tensor([len(clip) for clip in frames])
        batch = pad_sequence(frames, batch_first=True)
        return batch, torch.arange(batch.shape[1]) < lengths[:, None]


def read_record(folder: Path) -> dict[str, Any]:
    """The description that training left, ``ensemble/recogniser.json``."""
    path = folder / RECOGNISER
    if not path.is_file():
        inner = (
            sorted(p.parent.parent.name for p in folder.glob(f"*/{RECOGNISER}")) if folder.is_dir() else []
        )
        hint = f" It holds {', '.join(inner)}; name one of those." if inner else " Was training finished?"
        raise FileNotFoundError(f"emotion.load({folder}): there is no {RECOGNISER}.{hint}")
    try:
        record: dict[str, Any] = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(
            f"emotion.load({folder}): {RECOGNISER} is not JSON ({error}); train anew."
        ) from error
    return record


def trained_stream(folder: Path, name: str, record: Mapping[str, Any]) -> TrainedStream:
    source = record.get("source", {})
    if "open" not in source:
        raise ValueError(
            f"emotion.load({folder}): stream {name!r} was trained on features that do not tell their encoder, so new "
            "audio cannot be encoded the same way. Make the features with `tamis emotion features` and train again."
        )
    view = StreamView(record["stream"], record["layer"], record["pool"])
    return TrainedStream(view, record["dim"], record["layers"], source["reads"], source["open"])


def load_weights(module: nn.Module, path: Path) -> None:
    """Load and freeze; weights that do not fit the description are an error that names the file."""
    try:
        module.load_state_dict(load_file(path), strict=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ValueError(
            f"emotion.load: {path} cannot be used with its recogniser.json: {str(error).splitlines()[0]} "
            "The folder mixes files of different trainings, or was copied in part."
        ) from error
    module.requires_grad_(False).eval()

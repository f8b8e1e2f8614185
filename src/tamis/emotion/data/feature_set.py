"""Feature sets: what frozen encoders wrote once, and what training and inference read many times.

A feature set is a folder. This docstring is its contract; :func:`write_stream` and :func:`write_index` write to it,
:class:`FeatureSet` reads it, and anything else that keeps to it will do::

    folder/
      set.json           {"version": 1, "categories": ["angry", …],
                          "streams": {"whisper": {"dim": 384, "layers": 5, "frame_rate_hz": 50.0}, …}}
      index.parquet      or index.csv: one row per utterance
      …                  one safetensors file per utterance and stream, wherever the index says

``set.json`` names the categories (their order is the order of every vote and probability vector) and the streams.
``layers`` is null where files hold a single layer; other keys (encoder name, content hash of the recipe) are kept and shown.

The index has these columns; cells of optional columns may be empty, and further columns are kept for slicing results:

======================  =========  =====================================================================================
``utterance``           required   unique name
``speaker``             required   name, or empty where unknown
``split``               optional   ``train``, ``development``, ``test``, … ; empty = unassigned
``votes/<category>``    required   primary votes for the category (a number; one column per category of ``set.json``)
``votes/other``         optional   primary votes outside the categories
``mentions/<category>`` optional   secondary mentions, the primary vote not counted again
``mentions/other``      optional   secondary mentions outside the categories
``valence`` …           optional   mean rating 1..7 of ``valence``, ``arousal``, ``dominance``; empty = not rated
``variant``             optional   empty for the original recording, else the name of the augmentation (``speed0.9``)
``source``              optional   for a variant: the utterance it was made from
``duration_s``          optional   length of the audio
``text``                optional   transcript
``stream/<name>``       required   path of the stream's file, relative to the folder; empty = stream missing
``frames/<name>``       required   number of frames T in that file (0 where missing)
======================  =========  =====================================================================================

A stream file is a safetensors file with one tensor ``features``, float16 or float32: ``[T, D]``, or ``[L, T, D]`` where
L layers are kept. T is the real length (no padding). An utterance whose stream exists but is empty (no words spoken) has
one zero vector, T = 1.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tamis.emotion.corpora import ATTRIBUTES, OTHER
from tamis.storage import write_tensors, write_text, written_beside

VERSION = 1


@dataclass(frozen=True)
class StreamInfo:
    """What the files of one stream hold: vectors of ``dim`` numbers, ``layers`` of them per frame (None: one)."""

    dim: int
    layers: int | None = None
    frame_rate_hz: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def write_stream(folder: Path, stream: str, utterance: str, features: Tensor) -> str:
    """Write one utterance's features, beside and renamed, and return the path to put into the index.

    Parameters
    ----------
    folder : Path
        The feature set.
    stream, utterance : str
        Names; the file is ``folder/stream/utterance.safetensors``.
    features : Tensor, shape (T, D) or (L, T, D), float16 or float32
        T is the real length, at least 1.
    """
    if (
        features.dim() not in (2, 3)
        or features.dtype not in (torch.float16, torch.float32)
        or features.shape[-2] == 0
    ):
        raise ValueError(
            f"write_stream({stream!r}, {utterance!r}): features have shape {tuple(features.shape)} and dtype "
            f"{features.dtype}; expected (T, D) or (L, T, D) with T >= 1, float16 or float32."
        )
    path = folder / stream / f"{utterance}.safetensors"
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"write_stream: utterance name {utterance!r} leads out of the feature set {folder}.")
    write_tensors(path, {"features": features})
    return path.relative_to(folder).as_posix()


def write_index(
    folder: Path, table: pd.DataFrame, categories: Sequence[str], streams: Mapping[str, StreamInfo]
) -> None:
    """Write ``index.parquet`` and ``set.json``; the table is checked against the contract first."""
    described = {
        name: {"dim": s.dim, "layers": s.layers, "frame_rate_hz": s.frame_rate_hz, **s.extra}
        for name, s in streams.items()
    }
    _check_index(table, tuple(categories), streams, folder)
    with written_beside(folder / "index.parquet") as part:
        table.to_parquet(part, index=False)
    content = {"version": VERSION, "categories": list(categories), "streams": described}
    write_text(folder / "set.json", json.dumps(content, indent=1))


class FeatureSet:
    """Reader of one feature set; rows are numbered as in the index, files are opened when they are asked for.

    Attributes
    ----------
    categories : tuple of str
    streams : dict of str to StreamInfo
    table : pandas.DataFrame
        The index, one row per utterance.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.categories, self.streams = _read_description(self.folder)
        self.table = _read_index(self.folder)
        _check_index(self.table, self.categories, self.streams, self.folder)
        self._frames = {
            name: _numbers(self.table, f"frames/{name}", missing=0).astype(np.int64) for name in self.streams
        }

    def __len__(self) -> int:
        return len(self.table)

    def votes(self) -> np.ndarray:
        """Primary votes, shape (N, categories + 1), float64; the last column counts votes for "other"."""
        return self._counts("votes")

    def mentions(self) -> np.ndarray:
        """Secondary mentions, shape (N, categories + 1), float64; zero where the corpus has none."""
        return self._counts("mentions")

    def attributes(self) -> np.ndarray:
        """Mean ratings of valence, arousal, dominance, shape (N, 3), float64, NaN where not rated."""
        columns = [_numbers(self.table, name, missing=np.nan) for name in ATTRIBUTES]
        return np.stack(columns, axis=1)

    def strings(self, column: str) -> np.ndarray:
        """A text column, shape (N,), with "" where it is empty or absent."""
        if column not in self.table:
            return np.full(len(self), "", dtype=object)
        names: np.ndarray = self.table[column].fillna("").astype(str).to_numpy(dtype=object)
        return names

    def frames(self, stream: str) -> np.ndarray:
        """Frames of every utterance in ``stream``, shape (N,), int64; 0 = missing."""
        self._info(stream)
        return self._frames[stream]

    def read(self, row: int, stream: str) -> Tensor | None:
        """Features of one utterance as written, shape (T, D) or (L, T, D), or None where the stream is missing."""
        info = self._info(stream)
        name = self.table[f"stream/{stream}"].iloc[row]
        if not isinstance(name, str) or not name:
            return None
        path = self.folder / name
        try:
            with safe_open(path, framework="pt") as file:
                features: Tensor = file.get_tensor("features")
        except (OSError, SafetensorError) as error:
            raise ValueError(
                f"FeatureSet({self.folder}): {name} cannot be read ({error}); extract it again."
            ) from error
        expected = ((info.layers,) if info.layers else ()) + (int(self._frames[stream][row]), info.dim)
        if tuple(features.shape) != expected:
            raise ValueError(
                f"FeatureSet({self.folder}): {name} has shape {tuple(features.shape)}, the index says {expected}; "
                "extract it again."
            )
        return features

    def _counts(self, kind: str) -> np.ndarray:
        columns = [_numbers(self.table, f"{kind}/{name}", missing=0) for name in (*self.categories, OTHER)]
        return np.stack(columns, axis=1)

    def _info(self, stream: str) -> StreamInfo:
        if stream not in self.streams:
            raise ValueError(
                f"FeatureSet({self.folder}): no stream {stream!r}; it has {', '.join(self.streams)}."
            )
        return self.streams[stream]


def _numbers(table: pd.DataFrame, column: str, missing: float) -> np.ndarray:
    if column not in table:
        return np.full(len(table), missing, dtype=np.float64)
    numbers: np.ndarray = pd.to_numeric(table[column]).fillna(missing).to_numpy(dtype=np.float64)
    return numbers


def _read_description(folder: Path) -> tuple[tuple[str, ...], dict[str, StreamInfo]]:
    path = folder / "set.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"FeatureSet({folder}): no set.json there; `tamis emotion features` writes one."
        )
    try:
        content = json.loads(path.read_text())
        if content["version"] != VERSION:
            raise ValueError(
                f"FeatureSet({folder}): version {content['version']}, this tamis reads version {VERSION}."
            )
        streams = {name: _stream_info(dict(entry)) for name, entry in content["streams"].items()}
        return tuple(content["categories"]), streams
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"FeatureSet({folder}): set.json is damaged ({error!r}); write the set again."
        ) from error


def _stream_info(entry: dict[str, Any]) -> StreamInfo:
    dim, layers, rate = entry.pop("dim"), entry.pop("layers", None), entry.pop("frame_rate_hz", None)
    return StreamInfo(dim=int(dim), layers=layers, frame_rate_hz=rate, extra=entry)


def _read_index(folder: Path) -> pd.DataFrame:
    if (folder / "index.parquet").is_file():
        return pd.read_parquet(folder / "index.parquet")
    if (folder / "index.csv").is_file():
        return pd.read_csv(
            folder / "index.csv", dtype={"utterance": str, "speaker": str, "split": str, "text": str}
        )
    raise FileNotFoundError(f"FeatureSet({folder}): no index.parquet or index.csv there.")


def _check_index(
    table: pd.DataFrame, categories: tuple[str, ...], streams: Mapping[str, StreamInfo], folder: Path
) -> None:
    required = ["utterance", "speaker", *(f"votes/{c}" for c in categories)]
    required += [f"{kind}/{name}" for name in streams for kind in ("stream", "frames")]
    if absent := [name for name in required if name not in table]:
        raise ValueError(f"FeatureSet({folder}): the index lacks the column(s) {', '.join(absent)}.")
    if (twice := table["utterance"][table["utterance"].duplicated()]).size:
        raise ValueError(
            f"FeatureSet({folder}): utterance {twice.iloc[0]!r} stands {twice.size + 1} times in the index."
        )
    for kind in ("votes", "mentions"):
        for name in (*categories, OTHER):
            if (_numbers(table, f"{kind}/{name}", missing=0) < 0).any():
                raise ValueError(f"FeatureSet({folder}): column {kind}/{name} has negative counts.")

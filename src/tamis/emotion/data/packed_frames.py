"""A stream as the members want it: layers chosen, frames pooled, all utterances in one memory-mapped file.

Packing is done once per run; the processes that train members map the same file, so that its pages are in memory once.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tamis.emotion.data.feature_set import FeatureSet, StreamInfo
from tamis.training.written_beside import write_json, written_beside

Layer = Literal["all", "joined", "last", "last4"] | int
"""All kept layers (a branch learns their weights), all side by side as one wide vector, the last, the sum of the last four,
or one by number (-1 = last)."""

Pool = int | Literal["statistics"]
"""The mean of so many frames makes one; or the whole utterance makes one: its mean and deviation side by side."""


@dataclass(frozen=True)
class StreamView:
    """How members see a stream of the feature set: which layer, and how frames are pooled."""

    stream: str
    layer: Layer = "all"
    pool: Pool = 1


@dataclass(frozen=True)
class PackedFrames:
    """Frames of all utterances.

    Attributes
    ----------
    frames : array, shape (sum of T, D) or (sum of T, L, D), float16 or float32, memory-mapped
    starts : array, shape (N + 1,), int64
        Row i has frames ``starts[i]:starts[i + 1]``; none = the stream is missing.
    """

    frames: npt.NDArray[Any]
    starts: npt.NDArray[np.int64]

    @property
    def dim(self) -> int:
        return int(self.frames.shape[-1])

    @property
    def layers(self) -> int | None:
        return int(self.frames.shape[1]) if self.frames.ndim == 3 else None

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.starts)

    def __getitem__(self, row: int) -> Tensor:
        part = self.frames[self.starts[row] : self.starts[row + 1]]
        return torch.from_numpy(part.astype(np.float32))

    def padded(self, rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Zero-padded frames (B, T, …) float32, T at least 1, and their mask (B, T), True = real."""
        lengths = torch.from_numpy(self.lengths[rows])
        features = pad_sequence([self[row] for row in rows], batch_first=True)
        if features.shape[1] == 0:
            features = features.new_zeros(len(rows), 1, *features.shape[2:])
        return features, torch.arange(features.shape[1]) < lengths[:, None]


def pack(features: FeatureSet, view: StreamView, folder: Path) -> None:
    """Write ``frames.npy``, ``starts.npy`` and ``view.json`` into ``folder``, unless they are there already."""
    if (folder / "view.json").exists():
        return
    pooled = pooled_lengths(features.frames(view.stream), view.pool)
    starts = np.concatenate([[0], np.cumsum(pooled)]).astype(np.int64)
    info = features.streams[view.stream]
    layers, dim = viewed_shape(info, view)
    shape = (int(starts[-1]), *(() if layers is None else (layers,)), dim)
    with written_beside(folder / "frames.npy") as beside:
        packed = np.lib.format.open_memmap(
            beside, mode="w+", dtype=_dtype(features, view.stream), shape=shape
        )
        for row in np.flatnonzero(pooled):
            frames = features.read(int(row), view.stream)
            if frames is None:
                raise ValueError(
                    f"pack({view.stream!r}): utterance {features.table['utterance'].iloc[row]!r} has frames in the index "
                    "but no file; correct the index."
                )
            packed[starts[row] : starts[row + 1]] = view_frames(frames, view).numpy()
        packed.flush()
        del packed
    with written_beside(folder / "starts.npy") as beside, beside.open("wb") as file:
        np.save(file, starts)
    write_json(folder / "view.json", asdict(view))


def open_packed(folder: Path) -> PackedFrames:
    """Map what :func:`pack` wrote."""
    return PackedFrames(np.load(folder / "frames.npy", mmap_mode="r"), np.load(folder / "starts.npy"))


def viewed_shape(info: StreamInfo, view: StreamView) -> tuple[int | None, int]:
    """Layers (None: a single one) and width of a view's frames."""
    width = info.dim * (2 if view.pool == "statistics" else 1)
    if info.layers is None or view.layer not in ("all", "joined"):
        return None, width
    return (None, width * info.layers) if view.layer == "joined" else (info.layers, width)


def pooled_lengths(lengths: npt.NDArray[np.int64], pool: Pool) -> npt.NDArray[np.int64]:
    """Frames after pooling, for utterances of ``lengths`` frames."""
    pooled: npt.NDArray[np.int64] = np.minimum(lengths, 1) if pool == "statistics" else -(-lengths // pool)
    return pooled


def view_frames(features: Tensor, view: StreamView) -> Tensor:
    """Apply a view to one utterance: (T, D) or (L, T, D) -> (T', D), or (T', L, D) where all layers stay."""
    if features.dim() == 2:
        return pool_frames(features, view.pool)
    if view.layer == "all" or view.layer == "joined":
        pooled = pool_frames(features.transpose(0, 1), view.pool)
        return pooled.flatten(1) if view.layer == "joined" else pooled
    if view.layer == "last4":
        return pool_frames(features[-4:].float().sum(dim=0).to(features.dtype), view.pool)
    layer = -1 if view.layer == "last" else view.layer
    if not -len(features) <= layer < len(features):
        raise ValueError(f"stream {view.stream!r} has layers 0..{len(features) - 1}, not {layer}.")
    return pool_frames(features[layer], view.pool)


def pool_frames(frames: Tensor, pool: Pool) -> Tensor:
    """Mean of every ``pool`` frames, the last mean over those that are left; (T, …, D) -> (ceil(T / pool), …, D).

    Or ``"statistics"``: mean and deviation over all frames; (T, …, D) -> (1, …, 2 D).
    """
    if pool == 1:
        return frames
    if pool == "statistics":
        wide = frames.float()
        both = torch.cat([wide.mean(dim=0), wide.std(dim=0, correction=0)], dim=-1)
        return both[None].to(frames.dtype)
    groups = [part.float().mean(dim=0) for part in frames.split(pool)]
    return torch.stack(groups).to(frames.dtype)


def _dtype(features: FeatureSet, stream: str) -> npt.DTypeLike:
    rows = np.flatnonzero(features.frames(stream))
    first = features.read(int(rows[0]), stream) if len(rows) else None
    return np.float32 if first is None or first.dtype == torch.float32 else np.float16

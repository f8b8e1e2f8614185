"""A stream as the members want it: layers chosen, frames pooled, all utterances in one memory-mapped file.

Packing is done once per run; the processes that train members map the same file, so that its pages are in memory once.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tamis.emotion.data.feature_set import FeatureSet, StreamInfo
from tamis.emotion.data.settings import Pool, StreamView
from tamis.storage import fingerprint, write_json, written_beside


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

    @staticmethod
    def of(utterances: Sequence[Tensor], dim: int, layers: int | None) -> "PackedFrames":
        """Pack frames that are in memory, each utterance (T, D) or (T, L, D); T = 0 where the stream is missing."""
        empty = torch.zeros(0, *(() if layers is None else (layers,)), dim)
        starts = np.cumsum([0, *(len(frames) for frames in utterances)], dtype=np.int64)
        return PackedFrames(torch.cat([empty, *utterances]).numpy(), starts)

    def padded(self, rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Zero-padded frames (B, T, …) float32, T at least 1, and their mask (B, T), True = real."""
        lengths = torch.from_numpy(self.lengths[rows])
        features = pad_sequence([self[row] for row in rows], batch_first=True)
        if features.shape[1] == 0:
            features = features.new_zeros(len(rows), 1, *features.shape[2:])
        return features, torch.arange(features.shape[1]) < lengths[:, None]


def pack_stream(features: FeatureSet, view: StreamView, folder: Path) -> PackedFrames:
    """Frames of a view, packed into a folder of its own below ``folder`` unless they are there already."""
    own = view_folder(view, folder)
    if not (own / "view.json").exists():
        _write(features, view, own)
    return open_packed(own)


def view_folder(view: StreamView, folder: Path) -> Path:
    """Where :func:`pack_stream` keeps a view below ``folder``."""
    return folder / fingerprint(repr(view), size=6)


def _write(features: FeatureSet, view: StreamView, folder: Path) -> None:
    """Write ``frames.npy``, ``starts.npy`` and, when both are whole, ``view.json``."""
    pooled = pooled_lengths(features.frames(view.stream), view.pool)
    starts = np.concatenate([[0], np.cumsum(pooled)]).astype(np.int64)
    info = features.streams[view.stream]
    layers, dim = viewed_shape(info, view)
    shape = (int(starts[-1]), *(() if layers is None else (layers,)), dim)
    with written_beside(folder / "frames.npy") as part:
        packed = np.lib.format.open_memmap(part, mode="w+", dtype=_dtype(features, view.stream), shape=shape)
        for row in np.flatnonzero(pooled):
            frames = features.read(int(row), view.stream)
            if frames is None:
                raise ValueError(
                    f"pack_stream({view.stream!r}): utterance {features.table['utterance'].iloc[row]!r} has frames in the index "
                    "but no file; correct the index."
                )
            packed[starts[row] : starts[row + 1]] = view_frames(frames, view).numpy()
        packed.flush()
        del packed
    with written_beside(folder / "starts.npy") as part, part.open("wb") as file:
        np.save(file, starts)
    write_json(folder / "view.json", asdict(view))


def open_packed(folder: Path) -> PackedFrames:
    """Map what :func:`pack_stream` wrote."""
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

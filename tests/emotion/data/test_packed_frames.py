"""Packed frames are the files' frames, layer by layer and pooled."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tamis.emotion.data.feature_set import FeatureSet, StreamInfo, write_index, write_stream
from tamis.emotion.data.packed_frames import PackedFrames, pack_stream, pool_frames, view_frames
from tamis.emotion.data.settings import StreamView


@pytest.fixture
def features(tmp_path: Path) -> FeatureSet:
    lengths = [5, 0, 8]
    paths = [
        write_stream(tmp_path / "set", "a", f"u{t}", torch.randn(6, t, 4).half()) if t else ""
        for t in lengths
    ]
    table = pd.DataFrame(
        {"utterance": ["x", "y", "z"], "speaker": "s", "votes/k": 1.0, "stream/a": paths, "frames/a": lengths}
    )
    write_index(tmp_path / "set", table, ["k"], {"a": StreamInfo(4, layers=6)})
    return FeatureSet(tmp_path / "set")


@pytest.mark.parametrize(("layer", "pool"), [("all", 1), ("all", 3), ("last", 2), ("last4", 1), (2, 8)])
def test_packing(features: FeatureSet, tmp_path: Path, layer: str | int, pool: int) -> None:
    view = StreamView("a", layer, pool)  # type: ignore[arg-type]
    packed = pack_stream(features, view, tmp_path / "packed")
    assert packed.dim == 4
    assert packed.layers == (6 if layer == "all" else None)
    assert packed.lengths.tolist() == [-(-5 // pool), 0, -(-8 // pool)]
    for row in (0, 2):
        read = features.read(row, "a")
        assert read is not None
        torch.testing.assert_close(packed[row], view_frames(read, view).float())
    x, mask = packed.padded(np.array([2, 1, 0]))
    assert x.shape[:2] == mask.shape == (3, -(-8 // pool))
    assert mask.sum(dim=1).tolist() == [-(-8 // pool), 0, -(-5 // pool)]
    assert x[1].abs().max() == 0
    assert packed.padded(np.array([1]))[0].shape[:2] == (1, 1)


def test_packing_twice_reads_once(features: FeatureSet, tmp_path: Path) -> None:
    pack_stream(features, StreamView("a"), tmp_path / "packed")
    (features.folder / "a" / "u5.safetensors").unlink()
    pack_stream(features, StreamView("a"), tmp_path / "packed")


def test_views() -> None:
    x = torch.arange(6.0)[:, None, None].expand(6, 5, 4)
    assert view_frames(x, StreamView("a", "last4")).unique().item() == 2 + 3 + 4 + 5
    assert view_frames(x, StreamView("a", "last")).unique().item() == 5
    assert view_frames(x, StreamView("a", -2)).unique().item() == 4
    assert view_frames(x[0], StreamView("a", "last4")).shape == (5, 4)
    with pytest.raises(ValueError, match=r"layers 0\.\.5, not 6"):
        view_frames(x, StreamView("a", 6))


def test_statistics(features: FeatureSet, tmp_path: Path) -> None:
    view = StreamView("a", "joined", "statistics")
    packed = pack_stream(features, view, tmp_path / "packed")
    assert packed.lengths.tolist() == [1, 0, 1]
    assert (packed.dim, packed.layers) == (6 * 2 * 4, None)
    read = features.read(2, "a")
    assert read is not None
    both = torch.cat([read.float().mean(dim=1), read.float().std(dim=1, correction=0)], dim=1)
    torch.testing.assert_close(packed[2][0], both.flatten(), atol=2e-3, rtol=2e-3)


def test_pooling_means_what_is_left() -> None:
    frames = torch.tensor([[1.0], [3.0], [5.0]])
    assert pool_frames(frames, 2).tolist() == [[2.0], [5.0]]
    assert pool_frames(frames, 9).tolist() == [[3.0]]


def test_stream_that_nobody_has(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"utterance": ["x"], "speaker": "s", "votes/k": 1.0, "stream/a": [""], "frames/a": [0]}
    )
    write_index(tmp_path / "set", table, ["k"], {"a": StreamInfo(4)})
    packed = pack_stream(FeatureSet(tmp_path / "set"), StreamView("a"), tmp_path / "packed")
    x, mask = packed.padded(np.array([0]))
    assert x.shape == (1, 1, 4)
    assert not mask.any()


@pytest.mark.parametrize("layers", [None, 3])
def test_frames_in_memory_are_padded_as_those_on_disk(layers: int | None) -> None:
    shape = (4,) if layers is None else (layers, 4)
    utterances = [torch.randn(5, *shape), torch.zeros(0, *shape), torch.randn(2, *shape)]
    packed = PackedFrames.of(utterances, 4, layers)
    assert (packed.dim, packed.layers) == (4, layers)
    assert packed.lengths.tolist() == [5, 0, 2]
    x, mask = packed.padded(np.array([2, 1]))
    assert torch.equal(x[0], utterances[2])
    assert mask.tolist() == [[True, True], [False, False]]
    assert PackedFrames.of(utterances[1:2], 4, layers).padded(np.array([0]))[0].shape == (1, 1, *shape)

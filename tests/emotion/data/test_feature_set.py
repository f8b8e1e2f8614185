"""The on-disk contract of feature sets, written by the library and by another program."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from tamis.emotion.data.feature_set import FeatureSet, StreamInfo, write_index, write_stream

CATEGORIES = ("angry", "calm")


def table(paths: list[str | None], frames: list[int]) -> pd.DataFrame:
    n = len(paths)
    return pd.DataFrame(
        {
            "utterance": [f"u{i}" for i in range(n)],
            "speaker": ["s"] * n,
            "votes/angry": [1.0] * n,
            "votes/calm": [0.0] * n,
            "votes/other": [2.0] * n,
            "stream/a": paths,
            "frames/a": frames,
        }
    )


def test_round_trip(tmp_path: Path) -> None:
    features = torch.randn(3, 5, 4).half()
    path = write_stream(tmp_path, "a", "u0", features)
    write_index(
        tmp_path, table([path, None], [5, 0]), CATEGORIES, {"a": StreamInfo(4, layers=3, frame_rate_hz=50)}
    )
    read = FeatureSet(tmp_path)
    assert read.categories == CATEGORIES
    assert len(read) == 2
    assert read.streams["a"] == StreamInfo(4, 3, 50)
    assert torch.equal(read.read(0, "a"), features)
    assert read.read(1, "a") is None
    assert read.votes().tolist() == [[1, 0, 2]] * 2
    assert read.mentions().sum() == 0
    assert pd.isna(read.attributes()).all()
    assert read.attributes().shape == (2, 3)
    assert read.strings("variant").tolist() == ["", ""]
    assert read.frames("a").tolist() == [5, 0]


def test_csv_from_another_program(tmp_path: Path) -> None:
    save_file({"features": torch.ones(2, 4)}, tmp_path / "x.safetensors")
    (tmp_path / "index.csv").write_text(
        "utterance,speaker,votes/angry,votes/calm,valence,stream/a,frames/a\n007,01,,2,3.5,x.safetensors,2\n"
    )
    (tmp_path / "set.json").write_text(
        json.dumps({"version": 1, "categories": CATEGORIES, "streams": {"a": {"dim": 4, "encoder": "e"}}})
    )
    read = FeatureSet(tmp_path)
    assert read.table["utterance"][0] == "007"
    assert read.table["speaker"][0] == "01"
    assert read.votes().tolist() == [[0, 2, 0]]
    assert read.attributes()[0, 0] == 3.5
    assert read.streams["a"].extra == {"encoder": "e"}
    assert read.read(0, "a").shape == (2, 4)


def test_files_that_lie(tmp_path: Path) -> None:
    path = write_stream(tmp_path, "a", "u0", torch.zeros(5, 4))
    write_index(tmp_path, table([path, "gone"], [6, 1]), CATEGORIES, {"a": StreamInfo(4)})
    read = FeatureSet(tmp_path)
    with pytest.raises(ValueError, match=r"shape \(5, 4\), the index says \(6, 4\)"):
        read.read(0, "a")
    with pytest.raises(ValueError, match="gone cannot be read"):
        read.read(1, "a")
    (tmp_path / path).write_bytes(b"not a tensor")
    with pytest.raises(ValueError, match="cannot be read"):
        read.read(0, "a")
    with pytest.raises(ValueError, match="no stream 'b'"):
        read.frames("b")


def test_bad_tables(tmp_path: Path) -> None:
    streams = {"a": StreamInfo(4)}
    good = table(["x", "y"], [1, 1])
    with pytest.raises(ValueError, match=r"lacks the column.*votes/calm"):
        write_index(tmp_path, good.drop(columns="votes/calm"), CATEGORIES, streams)
    with pytest.raises(ValueError, match="'u0' stands 2 times"):
        write_index(tmp_path, good.assign(utterance="u0"), CATEGORIES, streams)
    with pytest.raises(ValueError, match="votes/angry has negative"):
        write_index(tmp_path, good.assign(**{"votes/angry": -1.0}), CATEGORIES, streams)
    with pytest.raises(FileNotFoundError, match=r"no set\.json"):
        FeatureSet(tmp_path)
    (tmp_path / "set.json").write_text('{"version": 1}')
    with pytest.raises(ValueError, match="damaged"):
        FeatureSet(tmp_path)


@pytest.mark.parametrize("bad", [torch.zeros(0, 4), torch.zeros(4), torch.zeros(2, 4, dtype=torch.float64)])
def test_bad_features(tmp_path: Path, bad: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="write_stream"):
        write_stream(tmp_path, "a", "u", bad)


def test_utterance_names_stay_inside(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leads out"):
        write_stream(tmp_path, "a", "../../u", torch.zeros(2, 4))

"""A configuration for a set that came without one."""

from pathlib import Path

import pandas as pd
import pytest

from tamis.emotion.data import Splits, SynthRecipe, write_synthetic
from tamis.emotion.train import load_config, write_first_config


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ({}, Splits(test=("test",), shared_speakers="allow", folds=4)),
        (
            {"test": "Test1", "development": "test2"},
            Splits(test=("test1", "test2"), shared_speakers="allow", folds=4),
        ),
        ({"train": "", "development": "", "test": ""}, Splits(by="speaker", folds=5)),
        ({"train": "session1", "development": "session2", "test": "session3"}, Splits(by="speaker", folds=5)),
    ],
)
def test_splits_of_the_set_or_by_speaker(tmp_path: Path, splits: dict[str, str], expected: Splits) -> None:
    write_synthetic(tmp_path / "features", SynthRecipe(speakers=8, utterances=2))
    path = tmp_path / "features" / "index.parquet"
    table = pd.read_parquet(path)
    table.assign(split=table["split"].map(lambda name: splits.get(name, name))).to_parquet(path, index=False)
    write_first_config(tmp_path / "config.toml", "features")
    config = load_config(tmp_path / "config.toml")
    assert config.splits == expected
    assert (config.features, config.output) == (tmp_path / "features", tmp_path / "run")
    assert [m.name for m in config.members][:1] == ["ridge"]


def test_folds_where_there_are_few_speakers_or_none(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "features", SynthRecipe(speakers=4, utterances=2, splits=(("", 1.0),)))
    write_first_config(tmp_path / "config.toml", "features")
    assert load_config(tmp_path / "config.toml").splits.folds == 3  # one speaker of four is the test set
    write_first_config(tmp_path / "config.toml", "features", folds=2)
    assert load_config(tmp_path / "config.toml").splits.folds == 2
    path = tmp_path / "features" / "index.parquet"
    pd.read_parquet(path).assign(speaker="").to_parquet(path, index=False)
    write_first_config(tmp_path / "config.toml", "features")
    assert load_config(tmp_path / "config.toml").splits.folds == 5

"""Who trains and who is measured, where a corpus says it, says it in other words, or does not say it; and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tamis.emotion.data import (
    DataSettings,
    Splits,
    StreamView,
    SynthRecipe,
    Targets,
    TrainingData,
    load,
    pack,
    write_synthetic,
)

RECIPE = SynthRecipe(speakers=8, utterances=6, categories=("angry", "sad", "calm"), missing=0.0)


def loaded(folder: Path, change=lambda table: table, **splits) -> TrainingData:
    write_synthetic(folder / "set", RECIPE)
    path = folder / "set" / "index.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)
    settings = DataSettings(
        folder / "set", {"audio": StreamView("audio")}, Splits(**{"folds": 2, **splits}), Targets(), (), 0
    )
    return load(pack(settings, folder / "frames"))


def test_splits_by_their_other_names(tmp_path) -> None:
    names = {"train": "Training", "development": "val", "test": "Test"}
    plain = loaded(tmp_path / "plain")
    other = loaded(tmp_path / "other", lambda t: t.assign(split=t["split"].map(names)))
    asked = loaded(tmp_path / "asked", train=("TRAIN",), development=("validation",))
    for data in (other, asked):
        for part in ("train", "development", "test"):
            np.testing.assert_array_equal(getattr(data, part), getattr(plain, part))
        assert data.notes == ()
    assert (len(plain.train), len(plain.development), len(plain.test)) == (24, 12, 12)


def test_without_splits_a_fifth_of_the_speakers_is_the_test_set(tmp_path) -> None:
    data = loaded(tmp_path, lambda t: t.assign(split=""))
    tested = set(data.speakers[data.test])
    assert len(tested) == 2
    assert not tested & set(data.speakers[data.train])
    assert len(data.train) + len(data.test) == 48
    assert data.notes == (
        f"rows are split by speaker: 2 of 8 speakers ({', '.join(sorted(tested))}) are the test rows, the others are trained on",
    )
    asked = loaded(tmp_path / "asked", by="speaker")
    np.testing.assert_array_equal(asked.test, data.test)
    with pytest.raises(
        ValueError, match=r"no usable training row; the splits are \[''\].*splits.by = 'speaker'"
    ):
        loaded(tmp_path / "column", lambda t: t.assign(split=""), by="column")


def test_rows_that_nothing_uses_are_counted(tmp_path) -> None:
    names = {"train": "train", "development": "test2", "test": ""}
    data = loaded(tmp_path, lambda t: t.assign(split=t["split"].map(names)))
    assert data.notes[0] == "rows that nothing uses: without a split 12, test2 12; [splits] may name them"


def test_speakers_on_both_sides_are_refused_or_told(tmp_path) -> None:
    def mixed(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(split=np.where(np.arange(len(table)) % 6 == 0, "test", "train"))

    with pytest.raises(ValueError, match=r"8 speaker\(s\) stand both .* splits.shared_speakers = 'allow'"):
        loaded(tmp_path, mixed)
    data = loaded(tmp_path, mixed, shared_speakers="allow")
    assert (len(data.train), len(data.test)) == (40, 8)
    assert data.notes[0].endswith("'s000' among them: figures are not for new speakers")


def only(table: pd.DataFrame, rows, category: str) -> pd.DataFrame:
    votes = [c for c in table if c.startswith("votes/")]
    table = table.copy()
    table.loc[rows, votes] = 0.0
    table.loc[rows, f"votes/{category}"] = 1.0
    return table


def test_one_category_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="24 training rows do not have two categories: all are 'sad'"):
        loaded(tmp_path, lambda t: only(t, t["split"] == "train", "sad"))
    with pytest.raises(ValueError, match="in none of them do the raters agree"):
        loaded(
            tmp_path / "tied", lambda t: only(t, t["split"] == "train", "sad").assign(**{"votes/calm": 1.0})
        )


def test_speakers_who_are_categories_are_refused(tmp_path) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.assign(
            speaker=np.where(
                table["split"] == "train",
                table["speaker"].isin(["s000", "s001"]).map({True: "a", False: "b"}),
                table["speaker"],
            )
        )
        return only(only(table, table["speaker"] == "a", "sad"), table["speaker"] == "b", "calm")

    with pytest.raises(
        ValueError, match="without fold 0 of 2 the training rows have 1 category: speakers and categories"
    ):
        loaded(tmp_path, change)


def test_doubts_are_told(tmp_path) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = only(table, table["split"] == "test", "sad")
        for row, category in enumerate(("angry", "sad") * 12):
            table = only(table, row, category)
        return table.assign(speaker=table["speaker"].where(np.arange(len(table)) >= 3, ""))

    notes = loaded(tmp_path, change).notes
    assert notes == (
        "3 of 24 training rows have no speaker: each counts as a speaker of its own, so that folds may share a voice, and "
        "figures be too good",
        "no training row of calm",
        "the test rows are of one category or none: figures of them say little",
    )


def test_more_folds_than_speakers(tmp_path) -> None:
    with pytest.raises(
        ValueError, match=r"4 speaker\(s\) cannot be dealt into 9 folds; ask for fewer .* no fewer than two"
    ):
        loaded(tmp_path, folds=9)

"""EMO-SUPERB, EmoBox, CSV, audformat; and the table itself."""

import json

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("soundfile")

from tamis.emotion.corpora.audformat_table import read_audformat, write_audformat
from tamis.emotion.corpora.checks import check_corpus
from tamis.emotion.corpora.csv_table import read_csv, write_csv
from tamis.emotion.corpora.labels import category_of
from tamis.emotion.corpora.named import read_corpus
from tamis.emotion.corpora.table import Utterance, build_corpus, mean_rating

CONFIG = {
    "data_split_type": {"train": "Train", "dev": "Development", "test": "Test"},
    "categorical": {"emo_type": ["angry", "sad", "happy"]},
    "dimensional": {"max_score": 5, "min_score": 1},
}
FOLD = """FileName,angry,sad,happy,EmoAct,EmoDom,EmoVal,SpkrID,Gender,Split_Set
a.wav,0.95,0.025,0.025,3.0,2.0,5.0,1001,Male,Train
b.wav,0.4,0.6,0.0,,,,Unknown,Female,Development
"""


def test_emo_superb(tmp_path, sound, write):
    primary = tmp_path / "CREMA-D" / "Primary"
    write(primary / "config.json", json.dumps(CONFIG))
    write(primary / "labels_consensus_2.csv", FOLD)
    sound(tmp_path / "CREMA-D" / "Audios" / "a.wav")
    corpus = read_corpus("emo-superb", primary, fold=2)
    first, second = corpus.table.iloc[0], corpus.table.iloc[1]
    assert first["votes/angry"] == 0.95
    assert second["votes/sad"] == 0.6
    assert (first["valence"], first["arousal"], first["dominance"]) == (7.0, 4.0, 2.5)
    assert np.isnan(second["valence"])
    assert second["speaker"] == ""
    assert first["speaker"] == "1001"
    assert list(corpus.table["split"]) == ["train", "development"]
    assert first["path"] == "Audios/a.wav"
    assert corpus.audio_path(0).is_file()
    with pytest.raises(FileNotFoundError, match="labels_consensus_1"):
        read_corpus("emo-superb", primary)
    write(primary / "labels_consensus_1.csv", FOLD.replace("happy", "glad"))
    with pytest.raises(ValueError, match="happy"):
        read_corpus("emo-superb", primary)
    write(primary / "config.json", "{}")
    with pytest.raises(ValueError, match="emo_type"):
        read_corpus("emo-superb", primary)


def test_emobox(tmp_path, write):
    folder = tmp_path / "cafe"
    write(folder / "label_map.json", json.dumps({"c": "Angry", "t": "Sad", "n": "Neutral"}))
    line = {"key": "cafe-1", "wav": "downloads/cafe/1.wav", "emo": "c", "length": 2.0}
    part = {**line, "key": "cafe-2", "emo": "t", "start_time": 0.5, "end_time": 1.5}
    write(folder / "fold_1/cafe_train_fold_1.jsonl", json.dumps(line) + "\n\n")
    write(folder / "fold_1/cafe_test_fold_1.jsonl", json.dumps(part) + "\n")
    corpus = read_corpus("emobox", folder, audio=tmp_path)
    assert corpus.categories == ("angry", "sad", "neutral")
    assert corpus.table["split"].tolist() == ["train", "test"]
    assert corpus.table["votes/sad"].tolist() == [0, 1]
    assert corpus.table["end_s"].iloc[1] == 1.5
    assert np.isnan(corpus.table["end_s"].iloc[0])
    assert corpus.audio_path(0) == tmp_path / "downloads/cafe/1.wav"
    with pytest.raises(FileNotFoundError, match="number 7"):
        read_corpus("emobox", folder, fold=7)
    write(folder / "fold_1/cafe_test_fold_1.jsonl", json.dumps({**part, "emo": "q"}))
    with pytest.raises(ValueError, match="label 'q'"):
        read_corpus("emobox", folder)
    write(folder / "fold_1/cafe_test_fold_1.jsonl", "{nonsense")
    with pytest.raises(ValueError, match="line 1 is not JSON"):
        read_corpus("emobox", folder)


def test_emobox_without_folds(tmp_path, write):
    write(tmp_path / "x" / "label_map.json", json.dumps({"a": "Other", "b": "Boredom"}))
    write(tmp_path / "x" / "x.jsonl", json.dumps({"key": "1", "wav": "1.wav", "emo": "b"}))
    corpus = read_corpus("emobox", tmp_path / "x")
    assert corpus.categories == ("bored",)
    assert corpus.table["split"].tolist() == [""]


def test_the_smallest_csv(tmp_path, write):
    path = write(
        tmp_path / "mine.csv", "\ufeffpath,emotion,mood\na.wav,Anger,x\nsub/b.wav,joy,\nc.wav,other,z\n"
    )
    corpus = read_csv(path)
    assert corpus.categories == ("angry", "happy")
    assert corpus.name == "mine"
    assert corpus.table["utterance"].tolist() == ["a", "sub_b", "c"]
    assert corpus.table["votes/other"].tolist() == [0, 0, 1]
    assert corpus.table["mood"].tolist() == ["x", "", "z"]
    assert corpus.audio_path(1) == tmp_path / "sub/b.wav"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,emotion\na.wav,sad\n", "expected path"),
        ("path,label\na.wav,sad\n", "expected path, and either emotion"),
        ("path,emotion\n", "no utterances"),
        ("", "not a CSV file"),
        ("path,votes/sad\na.wav,many\n", "'many' stands where a number"),
        ("path,votes/sad\na.wav,-1\n", "-1.0 votes"),
        ("path,emotion,valence,arousal,dominance\na.wav,sad,9,1,1\n", r"not on 1\.\.7"),
        ("path,emotion,ratings\na.wav,sad,[[1]]\n", r"\[\[valence, arousal, dominance\], …\]"),
        ("utterance,path,emotion\nx,a.wav,sad\nx,b.wav,sad\n", "'x' is listed more than once"),
    ],
)
def test_csv_files_that_are_not_right(tmp_path, content, message, write):
    with pytest.raises(ValueError, match=message):
        read_csv(write(tmp_path / "bad.csv", content))


@pytest.fixture
def corpus(tmp_path, sound):
    rows = [
        Utterance(
            "u1", "a.wav", {"sad": 2, "happy": 1, "other": 1}, {"angry": 1}, 0.25, 0.75, "s1", "train", "Hä, „quoted“, text",
            [(1.0, 2.0, 3.0), (3.0, float("nan"), 5.0)], {"gender": "female", "snr_db": 12.5},
        ),
        Utterance("u2", "b.wav", {"sad": 1, "happy": 1}, speaker="s2", split="test"),
        Utterance("u3", "c.wav", {}, speaker="s1", split="test", ratings=[(4.0, 4.0, 4.0)]),
    ]  # fmt: skip
    sound(tmp_path / "a.wav", 1.0, 1)
    sound(tmp_path / "b.wav", 1.0, 2)
    return build_corpus("toy", ("happy", "sad", "angry"), rows, tmp_path, "CC0")


def same(a, b):
    left, right = (t.drop(columns="path").astype(object) for t in (a.table, b.table[list(a.table)]))
    pd.testing.assert_frame_equal(left.fillna(""), right.fillna(""), check_dtype=False, check_like=True)
    assert [a.audio_path(i).resolve() for i in range(len(a))] == [
        b.audio_path(i).resolve() for i in range(len(b))
    ]


def test_csv_round_trip(corpus, tmp_path):
    write_csv(corpus, tmp_path / "elsewhere.csv")
    again = read_csv(tmp_path / "elsewhere.csv")
    assert again.categories == corpus.categories
    same(corpus, again)


def test_audformat_round_trip(corpus, tmp_path):
    pytest.importorskip("audformat")
    write_audformat(corpus, tmp_path / "db")
    again = read_audformat(tmp_path / "db")
    assert again.name == "toy"
    assert set(again.categories) == set(corpus.categories)
    same(corpus, again)
    twice = build_corpus("twice", ("sad",), [Utterance(n, "a.wav", {"sad": 1}) for n in "xy"], tmp_path)
    with pytest.raises(ValueError, match="share file and segment"):
        write_audformat(twice, tmp_path / "no")


def test_a_database_that_audformat_wrote(tmp_path):
    audformat = pytest.importorskip("audformat")
    database = audformat.Database("foreign")
    database.schemes["emotion"] = audformat.Scheme(labels=["anger", "boredom"])
    database["files"] = audformat.Table(audformat.filewise_index(["x.wav", "y.wav"]))
    database["files"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["files"]["emotion"].set(["anger", "boredom"])
    database["files"]["speaker"] = audformat.Column()
    database["files"]["speaker"].set(["1", "2"])
    database.save(str(tmp_path), storage_format="csv")
    corpus = read_audformat(tmp_path, table="files")
    assert corpus.categories == ("angry", "bored")
    assert corpus.table["path"].tolist() == ["x.wav", "y.wav"]
    assert corpus.table["speaker"].tolist() == [
        "1",
        "2",
    ]
    assert corpus.table["start_s"].isna().all()
    assert corpus.table["end_s"].isna().all()
    with pytest.raises(ValueError, match="it has files"):
        read_audformat(tmp_path)
    with pytest.raises(ValueError, match="no column 'mood'"):
        read_audformat(tmp_path, "files", "mood")
    with pytest.raises(FileNotFoundError, match=r"db\.yaml"):
        read_audformat(tmp_path / "absent")


def test_checks_find_every_fault(corpus, tmp_path):
    (tmp_path / "c.wav").write_bytes((tmp_path / "b.wav").read_bytes())
    (tmp_path / "d.wav").write_bytes(b"no sound")
    rows = [
        Utterance("u1", "b.wav", {"sad": 3}, speaker="s1", split="train"),
        Utterance("u2", "c.wav", {"sad": 1}, speaker="s1", split="test"),
        Utterance("u3", "d.wav", {"sad": 1, "other": 1}, speaker="", split="test"),
        Utterance("u4", "e.wav", {"other": 1}, speaker="s2", split="test"),
        Utterance("u5", "a.wav", {"sad": 2}, speaker="s2", start_s=0.5, end_s=3.0),
    ]
    found = check_corpus(build_corpus("faulty", ("happy", "sad"), rows, tmp_path))
    assert found.leaking_speakers == {"s1": ("test", "train")}
    assert found.duplicates == (("u1", "u2"),)
    assert found.crossing_duplicates == 1
    assert [name for name, _ in found.missing] == ["u4"]
    assert [name for name, _ in found.damaged] == ["u3", "u5"]
    assert found.unusable == 3
    assert found.empty_categories == ("happy",)
    assert (found.unlabelled, found.single_vote, found.unknown_speakers) == (1, 2, 1)


def test_rows_are_checked(tmp_path):
    for row, message in (
        (Utterance("u", "a.wav", {"glee": 1}), "vote for 'glee'"),
        (Utterance("u", "a.wav", {"sad": -1}), "-1 votes"),
        (Utterance("u", "a.wav", {"sad": float("nan")}), "nan votes"),
        (Utterance("u", "a.wav", {"sad": 1}, ratings=[(0.0, 1.0, 1.0)]), "not on 1..7"),
    ):
        with pytest.raises(ValueError, match=message):
            build_corpus("toy", ("sad",), [row], tmp_path)


def test_mean_ratings_skip_what_is_missing():
    nan = float("nan")
    assert mean_rating([(1.0, nan, 3.0), (2.0, 4.0, nan)]) == (1.5, 4.0, 3.0)
    assert all(np.isnan(mean_rating([])))


@pytest.mark.parametrize(
    ("word", "category"),
    [
        ("Anger", "angry"),
        (" joy ", "happy"),
        ("Other-tired", "other"),
        ("Dissapointed", "disappointed"),
        ("Relax", "relax"),
    ],
)
def test_words(word, category):
    assert category_of(word) == category


def test_unknown_formats_are_named():
    with pytest.raises(ValueError, match="msp-podcast, iemocap"):
        read_corpus("msp", ".")

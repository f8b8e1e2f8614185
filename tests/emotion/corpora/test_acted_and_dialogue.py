"""IEMOCAP, CREMA-D, RAVDESS, EmoDB and MELD: tiny trees, and real files where TAMIS_DATA has them."""

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("soundfile")

from tamis.emotion.corpora.checks import check_corpus
from tamis.emotion.corpora.named import read_corpus
from tamis.emotion.corpora.regrouping import regroup
from tamis.emotion.corpora.table import ratings_from_json

EVALUATION = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
C-E3:\tAnger; Frustration;\t()
C-E4:\tNeutral state;\t(a bit tired)
C-F1:\tSadness;\t()
A-E3:\tval 3; act 2; dom  2;\t()
A-E4:\tval 1; act 5; dom ;\t(mostly mediocre)
A-F1:\tval 5; act 5; dom  5;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M000\txxx\t[3.5, 2.0, 3.5]
C-E2:\tExcited;\t()
C-E3:\tHappiness;\t()
C-E4:\tOther; Surprise;\t(relief)
A-E3:\tval 4; act 2; dom  3;\t()
"""


@pytest.fixture
def iemocap(tmp_path, sound, write):
    session = tmp_path / "Session1"
    write(session / "dialog/EmoEvaluation/Ses01F_impro01.txt", EVALUATION)
    write(session / "dialog/EmoEvaluation/._Ses01F_impro01.txt", "garbage of another system")
    write(session / "dialog/EmoEvaluation/Categorical/e2.txt", "not to be read")
    write(
        session / "dialog/transcriptions/Ses01F_impro01.txt",
        "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\nM: (mumbles)\nSes01F_impro01_M000 [010.0100-011.3925]: Yeah.\n",
    )
    sound(session / "sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav")
    return read_corpus("iemocap", tmp_path)


def test_iemocap_votes_mentions_and_ratings(iemocap):
    first, second = (iemocap.table.iloc[i] for i in (0, 1))
    assert first["utterance"] == "Ses01F_impro01_F000"
    assert first["speaker"] == "Ses01_F"
    assert second["speaker"] == "Ses01_M"
    assert first["split"] == "session1"
    assert first["votes/neutral"] == 2
    assert first["votes/angry"] == 1
    assert first["votes/sad"] == 0
    assert first["mentions/frustrated"] == 1
    assert second["votes/excited"] == second["votes/happy"] == second["votes/other"] == 1
    assert second["mentions/surprise"] == 1
    raters = ratings_from_json(first["ratings"])
    assert raters[0] == (4.0, 2.5, 2.5)  # 3, 2, 2 of 1..5 on 1..7
    assert raters[1][:2] == (1.0, 7.0)
    assert np.isnan(raters[1][2])
    assert len(raters) == 2
    assert first["text"] == "Excuse me."
    assert second["text"] == "Yeah."
    assert first["path"].endswith("Ses01F_impro01_F000.wav")
    assert second["path"] == "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav"


def test_iemocap_four_classes(iemocap):
    four = regroup(iemocap, ("angry", "happy", "sad", "neutral"), {"excited": "happy"})
    assert four.table["votes/happy"].tolist() == [0, 2]
    assert four.table["mentions/other"].tolist() == [1, 1]
    assert four.table.filter(like="votes/").sum(axis=1).tolist() == [3, 3]
    with pytest.raises(ValueError, match="joy is no category"):
        regroup(iemocap, ("happy",), {"joy": "happy"})


VOTES = """"","A","D","F","H","N","S","fileName","numResponses"
"100001",0,0,0,1,10,0,"1001_IEO_NEU_XX",11
"100002",0,0,0,3,6,0,"1001_IEO_HAP_LO",9
"200001",0,0,0,0,9,0,"1001_IEO_NEU_XX",9
"200002",1,0,0,8,0,0,"1001_IEO_HAP_LO",9
"300001",0,0,0,0,5,0,"1001_IEO_NEU_XX",5
"300002",0,0,0,7,2,1,"1001_IEO_HAP_LO",10
"""


def test_crema_d_votes_by_what_was_judged(tmp_path, sound, write):
    write(tmp_path / "processedResults/tabulatedVotes.csv", VOTES)
    write(tmp_path / "VideoDemographics.csv", "ActorID,Age,Sex\n1001,51,Male\n")
    sound(tmp_path / "AudioWAV/1001_IEO_HAP_LO.wav")
    sound(tmp_path / "AudioWAV/1002_IEO_HAP_LO.wav")
    for judged_by, happy in (("voice", [1, 3]), ("face", [0, 8]), ("both", [0, 7])):
        corpus = read_corpus("crema-d", tmp_path, judged_by=judged_by)
        assert corpus.table["votes/happy"].tolist() == happy
    assert corpus.notes == (
        "1 clips without votes left out",
        "1 audio files are not there; the first is AudioWAV/1001_IEO_NEU_XX.wav",
    )
    row = corpus.table.iloc[1]
    assert (row["speaker"], row["gender"], row["text"]) == ("1001", "male", "It's eleven o'clock.")
    assert (row["intended"], row["level"], row["path"]) == ("happy", "LO", "AudioWAV/1001_IEO_HAP_LO.wav")


def test_crema_d_without_votes_has_the_intended_emotion(tmp_path, sound, write):
    sound(tmp_path / "1001_IEO_ANG_HI.wav")
    corpus = read_corpus("crema-d", tmp_path)
    assert corpus.table["votes/angry"].tolist() == [1]
    assert "intended" in corpus.notes[0]
    write(tmp_path / "tabulatedVotes.csv", VOTES.replace('"H"', '"X"'))
    with pytest.raises(ValueError, match=r"lacks the column\(s\) H"):
        read_corpus("crema-d", tmp_path)


def test_ravdess(tmp_path, sound):
    sound(tmp_path / "Actor_12/03-01-06-02-01-02-12.wav")
    sound(tmp_path / "Actor_01/03-01-02-01-02-01-01.flac")
    sound(tmp_path / "Actor_01/03-02-02-01-02-01-01.wav")  # sung
    sound(tmp_path / "Actor_01/readme.wav")
    corpus = read_corpus("ravdess", tmp_path)
    assert len(corpus) == 2
    assert len(corpus.notes) == 2
    calm, fear = (corpus.table.iloc[i] for i in (0, 1))
    assert calm["votes/calm"] == 1
    assert calm["gender"] == "male"
    assert calm["text"].startswith("Dogs")
    assert fear["votes/fear"] == 1
    assert fear["speaker"] == "actor_12"
    assert fear["intensity"] == "strong"


@pytest.mark.skipif("TAMIS_DATA" not in os.environ, reason="TAMIS_DATA is not set")
def test_ravdess_real_files():
    corpus = read_corpus("ravdess", Path(os.environ["TAMIS_DATA"]) / "ravdess")
    assert len(corpus) == 1080
    assert corpus.table["speaker"].nunique() == 18
    votes = corpus.table[[f"votes/{c}" for c in corpus.categories]].sum()
    assert votes["votes/neutral"] == 72
    assert (votes.drop("votes/neutral") == 144).all()
    some = type(corpus)(
        corpus.name, corpus.categories, corpus.table.iloc[::40].reset_index(drop=True), corpus.folder
    )
    assert check_corpus(some).unusable == 0


@pytest.mark.skipif("TAMIS_DATA" not in os.environ, reason="TAMIS_DATA is not set")
def test_crema_d_real_votes():
    folder = Path(os.environ["TAMIS_DATA"]) / "crema-d"
    voice = read_corpus("crema-d", folder)
    assert len(voice) == 7442
    assert voice.table["speaker"].nunique() == 91
    votes = voice.table.set_index("utterance")
    assert votes.loc["1001_IEO_NEU_XX"][["votes/happy", "votes/neutral"]].tolist() == [1, 10]
    assert (
        read_corpus("crema-d", folder, judged_by="face").table["votes/happy"].sum()
        > votes["votes/happy"].sum()
    )


def test_emodb(tmp_path, sound):
    for name in ("03a01Fa", "08b10Wb", "16a07La", "notes"):
        sound(tmp_path / "wav" / f"{name}.wav")
    corpus = read_corpus("emodb", tmp_path)
    table = corpus.table.set_index("utterance")
    assert table.loc["03a01Fa", "votes/happy"] == 1
    assert table.loc["03a01Fa", "gender"] == "male"
    assert table.loc["08b10Wb", "votes/angry"] == 1
    assert table.loc["08b10Wb", "gender"] == "female"
    assert table.loc["16a07La", "votes/bored"] == 1
    assert "Stunden" in table.loc["16a07La", "text"]
    assert corpus.notes == ("1 files without an EmoDB name left out",)


MELD = """Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime
1,"also I was the point person, you know",Chandler,{},neutral,0,0,8,21,"00:16:16,059","00:16:21,731"
2,You must've had your hands full.,The Interviewer,joy,positive,0,1,8,21,"00:16:21,940","00:16:23,442"
"""


def test_meld_tells_splits_apart(tmp_path, sound, write):
    folders = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
    for split, emotion in (("train", "neutral"), ("dev", "anger"), ("test", "sadness")):
        write(tmp_path / f"{split}_sent_emo.csv", MELD.format(emotion))
        sound(tmp_path / folders[split] / "dia0_utt0.wav")
    (tmp_path / "train_splits/dia0_utt0.mp4").write_bytes(b"film")
    (tmp_path / "train_splits/dia0_utt1.mp4").write_bytes(b"film")
    corpus = read_corpus("meld", tmp_path)
    table = corpus.table.set_index("utterance")
    assert table.loc["train_dia0_utt0", "path"] == "train_splits/dia0_utt0.wav"
    assert table.loc["train_dia0_utt1", "path"] == "train_splits/dia0_utt1.mp4"
    assert table.loc["dev_dia0_utt0", "votes/angry"] == 1
    assert table.loc["dev_dia0_utt0", "split"] == "development"
    assert table.loc["test_dia0_utt0", "votes/sad"] == 1
    assert table.loc["test_dia0_utt1", "votes/happy"] == 1
    assert table.loc["train_dia0_utt0", "text"] == "also I was the point person, you know"
    assert "3 clips have no sound file" in corpus.notes[0]
    assert set(check_corpus(corpus).leaking_speakers) == {"Chandler", "The Interviewer"}


@pytest.mark.parametrize(
    "name", ["msp-podcast", "iemocap", "crema-d", "ravdess", "emodb", "meld", "emo-superb", "emobox"]
)
def test_wrong_folders_are_named(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder|no file"):
        read_corpus(name, tmp_path / "absent")
    with pytest.raises((FileNotFoundError, ValueError), match=r"found n|no utterances"):
        read_corpus(name, tmp_path)

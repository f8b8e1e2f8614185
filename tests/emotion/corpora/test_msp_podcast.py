"""MSP-Podcast in its three label layouts, with their traps."""

import math

import pytest

pytest.importorskip("soundfile")

from tamis.emotion.corpora.readers.msp_podcast import parse_detail, read_msp_podcast
from tamis.emotion.corpora.table import ratings_from_json

CONSENSUS = """FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set
MSP-PODCAST_0001_0001.wav,H,4.6,5.2,4.4,12,Female,Train
MSP-PODCAST_0001_0002.wav,X,4.0,3.0,4.0,Unknown,Male,Development
MSP-PODCAST_0001_0003.wav,O,3.0,3.0,3.0,13,Male,Test1
"""
V16 = """FileName,Workers,EmoClass_Major,EmoClass_Second,EmoAct,EmoVal,EmoDom
MSP-PODCAST_0001_0001.wav,WORKER1,Happy,"Happy,Excited",5,6,4
MSP-PODCAST_0001_0001.wav,WORKER2,Neutral,,4.0,5.0,4.0
MSP-PODCAST_0001_0001.wav,WORKER3,Happy,"Surprise,Amused",5,,5
MSP-PODCAST_0001_0002.wav,WORKER1,Angry,Contempt,4,2,5
MSP-PODCAST_0001_0002.wav,WORKER4,Other-bored to tears,"Neutral,Dissapointed",4,4,3
MSP-PODCAST_0001_0003.wav,WORKER5,Other,,3,3,3
"""
V17 = """FileName,EmoDetail
MSP-PODCAST_0001_0001.wav,"WORKER00001; Happy; Happy,Excited; A:5; V:6; D:4;"
MSP-PODCAST_0001_0001.wav,"WORKER00002; Neutral; A:4.000000; V:5.000000; D:4.000000;"
MSP-PODCAST_0001_0001.wav,"WORKER00003; Happy; Surprise,Amused; A:5; V:; D:5;"
MSP-PODCAST_0001_0002.wav,"WORKER00001; Angry; Contempt; A:4; V:2; D:5;"
MSP-PODCAST_0001_0002.wav,"WORKER00004; Other-bored to tears; Neutral,Dissapointed; A:4; V:4; D:3;"
MSP-PODCAST_0001_0003.wav,"WORKER00005; Other; A:3; V:3; D:3;"
"""
V20 = V16.replace("Workers", "WorkerID")


@pytest.fixture(params=["1.6", "1.7-1.12", "2.0"])
def release(request, tmp_path, sound, write):
    labels, spelling = {
        "1.6": ("Labels", "labels_concensus.csv"),
        "1.7-1.12": ("label/labels/Labels", "labels_consensus.csv"),
        "2.0": ("Labels", "labels_consensus.csv"),
    }[request.param]
    write(tmp_path / labels / spelling, CONSENSUS)
    write(tmp_path / labels / "labels_detailed.csv", {"1.6": V16, "1.7-1.12": V17, "2.0": V20}[request.param])
    for i in (1, 2):
        sound(tmp_path / "Audio" / f"MSP-PODCAST_0001_000{i}.wav", seed=i)
    write(tmp_path / "Transcripts" / "MSP-PODCAST_0001_0001.txt", "What a day!\n")
    return tmp_path


def test_every_layout_gives_the_same_table(release):
    corpus = read_msp_podcast(release)
    table = corpus.table.set_index("utterance")
    first, second, third = (table.loc[f"MSP-PODCAST_0001_000{i}"] for i in (1, 2, 3))
    assert first["votes/happy"] == 2
    assert first["votes/neutral"] == 1
    assert first["mentions/happy"] == 0  # named again after the primary: not a second vote
    assert first["mentions/surprise"] == 1
    assert first["mentions/other"] == 2
    assert second["votes/angry"] == 1
    assert second["votes/other"] == 1
    assert second["mentions/contempt"] == 1
    assert second["mentions/neutral"] == 1
    assert second["mentions/other"] == 0
    assert third["votes/other"] == 1
    assert (first["speaker"], second["speaker"]) == ("12", "")
    assert list(table["split"]) == ["train", "development", "test1"]
    assert first["text"] == "What a day!"
    assert second["text"] == ""
    assert first["path"] == "Audio/MSP-PODCAST_0001_0001.wav"
    assert third["path"] == "Audios/MSP-PODCAST_0001_0003.wav"  # missing: found out, and counted, later


def test_attributes_are_means_of_those_given(release):
    first = read_msp_podcast(release).table.iloc[0]
    assert first["valence"] == pytest.approx(5.5)
    assert first["arousal"] == pytest.approx(14 / 3)
    raters = ratings_from_json(first["ratings"])
    assert raters[:2] == [(6.0, 5.0, 4.0), (5.0, 4.0, 4.0)]
    assert math.isnan(raters[2][0])


def test_without_detail_the_consensus_is_one_vote(tmp_path, write):
    write(tmp_path / "Labels" / "labels_consensus.csv", CONSENSUS)
    corpus = read_msp_podcast(tmp_path)
    votes = corpus.table[[c for c in corpus.table if c.startswith("votes/")]]
    assert votes.sum(axis=1).tolist() == [1, 0, 1]
    assert votes.iloc[0]["votes/happy"] == 1
    assert votes.iloc[2]["votes/other"] == 1
    assert corpus.table["arousal"].tolist() == [4.6, 4.0, 3.0]
    assert "one vote per turn" in corpus.notes[0]


@pytest.mark.parametrize(
    ("detail", "primary", "secondary"),
    [
        ("WORKER1; Sad; A:1; V:2; D:3;", "Sad", []),
        ("WORKER1; Sad; Fear,Angry; A:1; V:2; D:3;", "Sad", ["Fear", "Angry"]),
        ("WORKER1;Other-not A: thing; Neutral; A:1; V:2; D:3;", "Other-not A: thing", ["Neutral"]),
        ("WORKER1; ; A:1; V:2; D:3;", "", []),
    ],
)
def test_details(detail, primary, secondary):
    assert parse_detail(detail) == (primary, secondary, (2.0, 1.0, 3.0))


def test_unknown_layouts_and_classes_are_named(tmp_path, write):
    write(tmp_path / "Labels" / "labels_consensus.csv", CONSENSUS)
    write(tmp_path / "Labels" / "labels_detailed.csv", "FileName,Emotion\na.wav,Happy\n")
    with pytest.raises(ValueError, match="EmoDetail"):
        read_msp_podcast(tmp_path)
    (tmp_path / "Labels" / "labels_detailed.csv").unlink()
    write(tmp_path / "Labels" / "labels_consensus.csv", CONSENSUS.replace(",H,", ",Q,"))
    with pytest.raises(ValueError, match="unknown consensus class 'Q'"):
        read_msp_podcast(tmp_path)
    (tmp_path / "Labels" / "labels_consensus.csv").unlink()
    with pytest.raises(FileNotFoundError, match="labels_concensus"):
        read_msp_podcast(tmp_path)

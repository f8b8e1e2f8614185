"""Folders and tables as they are found on people's disks: links, doubled trees, Excel's encodings, slips in labels."""

import codecs
import os

import pytest

pytest.importorskip("soundfile")

from tamis.emotion.corpora import read_audformat, read_corpus, read_csv, regroup
from tamis.emotion.corpora.labels import category_of, meant_by, one_vote
from tamis.emotion.corpora.splits import split_name

HAPPY = "03-01-03-01-01-01-01"
SAD = "03-01-04-01-01-01-02"


def test_links_to_folders_are_followed_and_circles_end(tmp_path, sound):
    sound(tmp_path / "disk" / "Actor_01" / f"{HAPPY}.wav")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "Actor_01").symlink_to(tmp_path / "disk" / "Actor_01")
    (tmp_path / "disk" / "Actor_01" / "back").symlink_to(corpus)
    (corpus / "again").symlink_to(tmp_path / "disk")
    found = read_corpus("ravdess", corpus)
    assert found.table["path"].tolist() == [f"Actor_01/{HAPPY}.wav"]
    assert found.notes == ("all votes are for one category, happy: nothing can be trained on that",)
    linked = tmp_path / "linked"
    linked.symlink_to(corpus)
    assert len(read_corpus("ravdess", linked)) == 1


def test_a_doubled_tree_is_told_once(tmp_path, sound):
    for name, seed in ((HAPPY, 1), (SAD, 2)):
        sound(tmp_path / "Actor_01" / f"{name}.wav", seed=seed)
        sound(tmp_path / "audio_speech_actors_01-24" / "Actor_01" / f"{name}.wav", seed=seed)
    found = read_corpus("ravdess", tmp_path)
    assert found.table["path"].tolist() == [f"Actor_01/{HAPPY}.wav", f"Actor_01/{SAD}.wav"]
    assert found.notes == ("2 copies of recordings left out: the same files stand in two folders",)
    sound(tmp_path / "resampled" / f"{SAD}.wav", seed=3)
    with pytest.raises(
        ValueError, match=f"Actor_01/{SAD}.wav and resampled/{SAD}.wav have one name and different"
    ):
        read_corpus("ravdess", tmp_path)


def test_of_two_formats_the_uncompressed_one_is_read(tmp_path, sound):
    sound(tmp_path / "AudioMP3" / "1001_IEO_ANG_HI.flac")
    sound(tmp_path / "AudioWAV" / "1001_IEO_ANG_HI.WAV")
    sound(tmp_path / "AudioWAV" / "1001_IEO_SAD_HI.WAV")
    found = read_corpus("crema-d", tmp_path)
    assert found.table["path"].tolist() == ["AudioWAV/1001_IEO_ANG_HI.WAV", "AudioWAV/1001_IEO_SAD_HI.WAV"]
    assert found.notes[0] == "1 recordings in a second format left out"


def test_what_macos_leaves_is_no_recording(tmp_path, sound):
    for name in ("03a01Fa.wav", "03a01Nc.WAV", "._03a01Fa.wav", "__MACOSX/03a02Fa.wav", ".Trash/03a04Fa.wav"):
        sound(tmp_path / name)
    (tmp_path / "03a05Fa.wav").mkdir()
    assert read_corpus("emodb", tmp_path).table["path"].tolist() == ["03a01Fa.wav", "03a01Nc.WAV"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_listed_is_no_empty_one(tmp_path, sound):
    sound(tmp_path / "a" / "03a01Fa.wav")
    (tmp_path / "a").chmod(0)
    with pytest.raises(PermissionError):
        read_corpus("emodb", tmp_path)
    (tmp_path / "a").chmod(0o700)


def test_of_two_label_files_the_outer_one_is_meant_or_none(tmp_path, write):
    write(tmp_path / "Labels" / "LABELS_CONSENSUS.CSV", "FileName,EmoClass,Split_Set\na.wav,S,Train\n")
    write(tmp_path / "old" / "v1" / "labels_consensus.csv", "FileName,EmoClass,Split_Set\nb.wav,S,Train\n")
    assert read_corpus("msp-podcast", tmp_path).table["utterance"].tolist() == ["a"]
    write(tmp_path / "other" / "labels_consensus.csv", "FileName,EmoClass,Split_Set\nc.wav,S,Train\n")
    with pytest.raises(
        ValueError, match=r"Labels/LABELS_CONSENSUS.CSV and other/labels_consensus.csv differ"
    ):
        read_corpus("msp-podcast", tmp_path)


TEXT = "path;emotion;speaker;valence;arousal;dominance;text\na.wav;wütend;José;1,5;2;3;Hä?\nb.wav;Freude;Zoë;4;5;6;gut, ja\n"


@pytest.mark.parametrize(
    ("raw", "note"),
    [
        (TEXT.encode(), "utf-8, separated by semicolons"),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8-sig, separated by semicolons"),
        (TEXT.encode("cp1252"), "cp1252, separated by semicolons"),
        (TEXT.replace(";", "\t").encode("utf-16"), "utf-16, separated by tabs"),
        (TEXT.encode("utf-16-le"), "utf-16-le, separated by semicolons"),
        (TEXT.encode("utf-16-be"), "utf-16-be, separated by semicolons"),
        (("sep=;\r\n" + TEXT.replace("\n", "\r\n")).encode("cp1252"), "cp1252, separated by semicolons"),
        (TEXT.replace(";", "|").encode(), "utf-8, separated by bars"),
    ],
)
def test_tables_as_excel_writes_them(tmp_path, raw, note, sound):
    (tmp_path / "mine.csv").write_bytes(raw)
    sound(tmp_path / "a.wav")
    sound(tmp_path / "b.wav")
    corpus = read_csv(tmp_path / "mine.csv")
    assert corpus.notes == (f"mine.csv was read as {note}",)
    assert corpus.table["speaker"].tolist() == ["José", "Zoë"]
    assert corpus.table["text"].tolist() == ["Hä?", "gut, ja"]
    assert corpus.table["valence"].tolist() == [1.5, 4.0]
    assert corpus.categories == ("angry", "freude")


def test_russian_and_a_stray_byte(tmp_path):
    (tmp_path / "ru.csv").write_bytes("path,emotion,text\na.wav,sad,Привет как дела\n".encode("cp1251"))
    assert read_csv(tmp_path / "ru.csv").table["text"].tolist() == ["Привет как дела"]
    raw = "path,emotion,text\na.wav,sad,ÄÖÜäöüéèàç\nb.wav,sad,X\n".encode().replace(b"X", b"it\x92s")
    (tmp_path / "stray.csv").write_bytes(raw)
    corpus = read_csv(tmp_path / "stray.csv")
    assert corpus.table["text"].tolist() == ["ÄÖÜäöüéèàç", "it\ufffds"]
    assert corpus.notes[0] == "stray.csv: 1 characters could not be read as utf-8"
    assert read_corpus("csv", tmp_path / "stray.csv", encoding="latin-1").table["text"][1] == "it\x92s"
    with pytest.raises(ValueError, match="is not text in utf-8"):
        read_corpus("csv", tmp_path / "stray.csv", encoding="utf-8")
    with pytest.raises(ValueError, match="is not text in klingon"):
        read_corpus("csv", tmp_path / "stray.csv", encoding="klingon")


def test_a_row_with_a_cell_too_many_shifts_no_column(tmp_path, write):
    trailing = write(tmp_path / "trailing.csv", "path,emotion\na.wav,sad,\nb.wav,happy,\n")
    assert read_csv(trailing).table["path"].tolist() == ["a.wav", "b.wav"]
    for content in ("path,emotion\na.wav,sad,x\nb.wav,sad,y\n", "path,emotion\na.wav,sad\nb.wav,well, sad\n"):
        with pytest.raises(ValueError, match="rows do not fit its header"):
            read_csv(write(tmp_path / "shifted.csv", content))
    (tmp_path / "book.csv").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(ValueError, match="Excel workbook"):
        read_csv(tmp_path / "book.csv")


def test_cells_that_only_look_empty(tmp_path, write):
    content = ' Path , EMOTION,speaker,utterance,,snr_db\na.wav,"sad",NA,null,1,\n,,,,,\nsub\\b.wav,n/a,None,nan,2,3.5\n'
    corpus = read_csv(write(tmp_path / "t.csv", content))
    assert corpus.table["speaker"].tolist() == ["NA", "None"]
    assert corpus.table["utterance"].tolist() == ["null", "nan"]
    assert corpus.table["path"].tolist() == ["a.wav", "sub/b.wav"]
    assert corpus.table["votes/sad"].tolist() == [1, 0]
    assert corpus.table["snr_db"].tolist() == ["", 3.5]
    assert "1 of 2 utterances without a label" in corpus.notes
    with pytest.raises(ValueError, match="a row without a path"):
        read_csv(write(tmp_path / "t.csv", "path,emotion\n,sad\n"))
    with pytest.raises(ValueError, match="column 'emotion' twice"):
        read_csv(write(tmp_path / "t.csv", "path,emotion,Emotion \na,sad,sad\n"))


def test_repeated_rows_count_once_and_raters_are_told_of_votes(tmp_path, write):
    twice = read_csv(write(tmp_path / "t.csv", "path,emotion\na.wav,sad\nb.wav,joy\na.wav,sad\n"))
    assert twice.table["utterance"].tolist() == ["a", "b"]
    assert "1 repeated rows left out" in twice.notes
    with pytest.raises(ValueError, match="give one row with votes/<category> columns"):
        read_csv(write(tmp_path / "t.csv", "path,emotion\na.wav,sad\na.wav,joy\n"))


def test_slips_in_labels_are_asked_about(tmp_path, write):
    labels = (
        "happy",
        "Happy ",
        "hapy",
        "sad",
        "sadd",
        "relaxed",
        "relaxed",
        "relaxd",
        "ps",
        "Pleasant_Surprise",
    )
    rows = "".join(f"{i}.wav,{label},s\n" for i, label in enumerate(labels))
    corpus = read_csv(write(tmp_path / "t.csv", f"path,emotion,speaker\n{rows}"))
    assert corpus.categories == ("happy", "hapy", "relaxd", "relaxed", "sad", "sadd", "surprise")
    assert corpus.notes[:3] == (
        "category 'hapy' (1 votes): did you mean 'happy'?",
        "category 'relaxd' (1 votes): did you mean 'relaxed'?",
        "category 'sadd' (1 votes): did you mean 'sad'?",
    )
    assert (
        regroup(corpus, ("happy", "surprize")).notes[-1]
        == "no votes for 'surprize'; did you mean 'surprise'?"
    )
    assert regroup(corpus, ("happy", "contempt")).notes == corpus.notes


def test_speakers_that_are_missing_or_spelt_twice(tmp_path, write):
    rows = "a.wav,sad,Ann\nb.wav,joy,ann \nc.wav,joy,\nd.wav,sad,Bob\n"
    notes = read_csv(write(tmp_path / "t.csv", f"path,emotion,speaker\n{rows}")).notes
    assert notes[0].startswith("1 of 4 utterances without a speaker")
    assert notes[1] == "speakers 'Ann', 'ann' differ by case or spaces only; each counts as another"
    assert notes[2] == "4 audio files are not there; the first is a.wav"


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("hapy", "happy"),
        ("surprize", "surprise"),
        ("nuetral", "neutral"),
        ("happy", None),
        ("ang", None),
        ("relaxed", None),
    ],
)
def test_what_a_word_resembles(word, meant):
    assert meant_by(word) == meant


def test_words_of_labels_and_splits():
    assert category_of(" Pleasant  surprise ") == "surprise"
    assert category_of("very_keen") == "very_keen"
    assert [one_vote(w) for w in ("", "NaN", "none", "Anger")] == [{}, {}, {}, {"angry": 1.0}]
    words = (
        "Val",
        "valid",
        "VALIDATION",
        "dev",
        "devel",
        "Train ",
        "training_set",
        "Testing",
        "session1",
        "Test1",
        "none",
    )
    assert [split_name(w) for w in words] == [
        *["development"] * 5,
        "train",
        "train",
        "test",
        "session1",
        "test1",
        "",
    ]


def test_splits_of_readers_have_one_name(tmp_path, write):
    rows = (
        "FileName,EmoClass,Split_Set\na.wav,S,Train\nb.wav,H,Validation\nc.wav,H,Test1\nd.wav,H,Development\n"
    )
    write(tmp_path / "labels_consensus.csv", rows)
    found = read_corpus("msp-podcast", tmp_path).table["split"].tolist()
    assert found == ["train", "development", "test1", "development"]
    csv = write(tmp_path / "t.csv", "path,emotion,split\na.wav,sad,VAL\nb.wav,sad,Training\nc.wav,sad,eval\n")
    assert read_csv(csv).table["split"].tolist() == ["development", "train", "test"]


def test_labels_that_audformat_has_not(tmp_path):
    audformat = pytest.importorskip("audformat")
    database = audformat.Database("foreign")
    database["files"] = audformat.Table(audformat.filewise_index(["x.wav", "y.wav", "z.wav"]))
    for name, values in (
        ("emotion", ["Anger", None, "angry "]),
        ("speaker", ["1", None, "3"]),
        ("split", ["val", "train", None]),
    ):
        database["files"][name] = audformat.Column()
        database["files"][name].set(values)
    database.save(str(tmp_path), storage_format="csv")
    corpus = read_audformat(tmp_path, table="files")
    assert corpus.categories == ("angry",)
    assert corpus.table["votes/angry"].tolist() == [1, 0, 1]
    assert corpus.table["speaker"].tolist() == ["1", "", "3"]
    assert corpus.table["split"].tolist() == ["development", "train", ""]
    assert corpus.notes[1] == "1 of 3 utterances without a label"

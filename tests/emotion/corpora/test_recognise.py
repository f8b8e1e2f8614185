"""Which corpus a folder holds."""

from pathlib import Path

import pytest

from tamis.emotion.corpora import recognise


@pytest.mark.parametrize(
    ("files", "form"),
    [
        (("db.yaml",), "audformat"),
        (("fold_1/x_train_fold_1.jsonl", "label_map.json"), "emobox"),
        (("data/MELD/train_sent_emo.csv",), "meld"),
        (("processedResults/tabulatedVotes.csv", "AudioWAV/1001_IEO_ANG_HI.wav"), "crema-d"),
        (("AudioWAV/1001_IEO_ANG_HI.wav",), "crema-d"),
        (("config.json", "labels_consensus_1.csv"), "emo-superb"),
        (("Labels/labels_consensus.csv",), "msp-podcast"),
        (("Session1/dialog/EmoEvaluation/Ses01F_impro01.txt",), "iemocap"),
        (("Actor_01/03-01-06-01-02-01-12.WAV", "notes.txt"), "ravdess"),
        (("wav/03a01Fa.wav",), "emodb"),
    ],
)
def test_by_what_only_it_has(tmp_path: Path, files: tuple[str, ...], form: str) -> None:
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert recognise(tmp_path) == form


def test_nothing_known_or_two(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="looks like no format that is known"):
        recognise(tmp_path)
    (tmp_path / "03a01Fa.wav").touch()
    (tmp_path / "1001_IEO_ANG_HI.wav").touch()
    with pytest.raises(ValueError, match="looks like crema-d and emodb; name its format"):
        recognise(tmp_path)
    (tmp_path / "mine.csv").touch()
    assert recognise(tmp_path / "mine.csv") == "csv"
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        recognise(tmp_path / "absent")

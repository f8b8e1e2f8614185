"""MELD: 13,700 utterances from the TV series Friends, seven emotions, three splits.

``train_sent_emo.csv``, ``dev_sent_emo.csv``, ``test_sent_emo.csv``; clips are named ``dia0_utt0`` in a folder per split. The
release holds MP4: the sound must be taken out first (``ffmpeg -i dia0_utt0.mp4 -ac 1 -ar 16000 dia0_utt0.wav``, beside it).

References
----------
[1] Poria et al. MELD: A Multimodal Multi-Party Dataset for Emotion Recognition in Conversations. ACL 2019.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tamis.emotion.corpora.delimited import read_delimited
from tamis.emotion.corpora.labels import one_vote
from tamis.emotion.corpora.readers.files import AUDIO_SUFFIXES, corpus_folder, find_one
from tamis.emotion.corpora.table import Corpus, Utterance, build_corpus
from tamis.storage import files_below

CORPUS = "meld"
CATEGORIES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SPLITS = ("train", "dev", "test")
CLIP = re.compile(r"dia\d+_utt\d+")
FORMATS = (".mp4", *reversed(AUDIO_SUFFIXES))
"""A later one takes the place of an earlier one."""
COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")


def read_meld(folder: str | Path) -> Corpus:
    """Read MELD; the same characters speak in all splits, so its own split is not speaker-independent."""
    folder = corpus_folder(folder, CORPUS)
    rows = [row for split in SPLITS for row in split_rows(folder, split)]
    films = sum(not row.path.endswith(AUDIO_SUFFIXES) for row in rows)
    notes = (
        [f"{films} clips have no sound file beside their film (convert them with ffmpeg)"] if films else []
    )
    return build_corpus(CORPUS, CATEGORIES, rows, folder, "GPL-3.0 for the annotations", notes)


def split_rows(folder: Path, split: str) -> Iterator[Utterance]:
    path = find_one(folder, CORPUS, f"{split}_sent_emo.csv")
    table, _ = read_delimited(path, CORPUS)
    if missing := [name for name in COLUMNS if name not in table]:
        raise ValueError(f"corpus {CORPUS!r}: {path.name} lacks the column(s) {', '.join(missing)}.")
    sound = split_audio(folder, split)
    for row in table.to_dict("records"):
        clip = f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
        yield Utterance(
            utterance=f"{split}_{clip}",
            path=sound.get(clip, f"{split}/{clip}.mp4"),
            votes=one_vote(row["Emotion"]),
            speaker=row["Speaker"],
            split=split,
            text=row["Utterance"],
            slices={"sentiment": row.get("Sentiment", "")},
        )


def split_audio(folder: Path, split: str) -> dict[str, str]:
    """Clips of one split: sound if there is some, else film. The split is the name of a folder on the path."""
    found: dict[str, str] = {}
    for path in sorted(
        files_below(folder), key=lambda p: FORMATS.index(s) if (s := p.suffix.lower()) in FORMATS else -1
    ):
        inner = path.relative_to(folder)
        words = {word for part in inner.parts[:-1] for word in re.split("[^a-z]+", part.lower())}
        if split in words and CLIP.fullmatch(path.stem) and path.suffix.lower() in FORMATS:
            found[path.stem] = inner.as_posix()
    return found

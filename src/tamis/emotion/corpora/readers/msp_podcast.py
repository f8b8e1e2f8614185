"""MSP-Podcast: naturalistic speech, five or more raters a turn; label files in three layouts.

``labels_detailed.csv``, one row per rating:

- release 1.6: ``FileName, Workers, EmoClass_Major, EmoClass_Second, EmoAct, EmoVal, EmoDom``
- 1.7 to 1.12 and the Interspeech 2025 pack: ``FileName, EmoDetail`` with ``WORKER…; primary; sec1,sec2; A:5; V:3; D:4;``
  where the secondary part may be missing
- 2.0: ``FileName, WorkerID`` and the columns of 1.6

``labels_consensus.csv`` (before 1.10 spelt ``labels_concensus.csv``) gives split, speaker and gender in all of them. Without
a detailed file each turn gets one vote, for its consensus class; "no agreement" gets none.

References
----------
[1] Lotfian, Busso. Building Naturalistic Emotionally Balanced Speech Corpus by Retrieving Emotional Speech From Existing
    Podcast Recordings. IEEE Trans. Affective Computing 10(4), 2019.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from tamis.emotion.corpora.categories import CATEGORIES, OTHER
from tamis.emotion.corpora.delimited import read_delimited
from tamis.emotion.corpora.labels import category_of
from tamis.emotion.corpora.readers.files import by_stem, corpus_folder, find_any, find_one
from tamis.emotion.corpora.table import Corpus, Rating, Utterance, build_corpus
from tamis.storage import files_below

CORPUS = "msp-podcast"
LETTERS = dict(zip("ASHUFDCN", CATEGORIES, strict=True)) | {"O": OTHER}
NO_AGREEMENT = "X"
UNKNOWN_SPEAKERS = ("unknown", "", "nan", "none")
RATING = re.compile(r"\b([AVD])\s*:\s*([0-9.]+)")
WORKER_COLUMNS = ("WorkerID", "Workers", "Worker")

Answer = tuple[str, list[str], Rating]
"""One rater's primary class, secondary mentions, and valence, arousal, dominance."""


@dataclass
class Ratings:
    """All ratings of one turn."""

    votes: Counter[str] = field(default_factory=Counter)
    mentions: Counter[str] = field(default_factory=Counter)
    attributes: list[Rating] = field(default_factory=list)

    def add(self, primary: str, secondary: list[str], rating: Rating) -> None:
        """One rater's answer; a secondary mention of the primary class is the same vote again, and is dropped."""
        vote = known(primary) if primary else None
        if vote:
            self.votes[vote] += 1
        for word in dict.fromkeys(known(w) for w in secondary if w.strip()):
            if word != vote:
                self.mentions[word] += 1
        if not all(math.isnan(value) for value in rating):
            self.attributes.append(rating)


def read_msp_podcast(folder: str | Path) -> Corpus:
    """Read a release of MSP-Podcast, whatever its folders are called.

    Parameters
    ----------
    folder : path
        Holds ``labels_consensus.csv`` and mostly ``labels_detailed.csv`` (in ``Labels/`` or elsewhere), audio, and
        perhaps ``Transcripts/*.txt``.
    """
    folder = corpus_folder(folder, CORPUS)
    consensus, notes = read_delimited(
        find_one(folder, CORPUS, "labels_consensus.csv", "labels_concensus.csv"), CORPUS
    )
    if detailed := find_any(folder, CORPUS, "labels_detailed.csv"):
        ratings = read_detailed(read_delimited(detailed, CORPUS)[0])
    else:
        ratings = None
        notes.append("no labels_detailed.csv: one vote per turn, for its consensus class")
    listed = [name for name in consensus["FileName"] if ratings is not None and name not in ratings]
    if listed:
        notes.append(
            f"{len(listed)} turns without ratings in labels_detailed.csv get their consensus class as one vote"
        )
    hidden = (consensus["EmoClass"] == "").sum() if "EmoClass" in consensus else len(consensus)
    if hidden:
        notes.append(f"{hidden} turns without a published label")
    audio, left_out = by_stem(folder, CORPUS)
    notes += left_out
    rows = consensus_rows(folder, audio, consensus, ratings or {})
    return build_corpus(CORPUS, CATEGORIES, rows, folder, "academic licence, no redistribution", notes)


def read_detailed(table: pd.DataFrame) -> dict[str, Ratings]:
    """Ratings by file name, from any of the three layouts.

    Raises
    ------
    ValueError   if the columns are those of none of them.
    """
    columns = set(table.columns)
    if {"FileName", "EmoDetail"} <= columns:
        answers = one_column(table)
    elif {"FileName", "EmoClass_Major"} <= columns and columns & set(WORKER_COLUMNS):
        answers = separate_columns(table)
    else:
        raise ValueError(
            f"corpus {CORPUS!r}: labels_detailed.csv has the columns {', '.join(table.columns)}; expected FileName and "
            f"EmoDetail, or FileName, EmoClass_Major and one of {', '.join(WORKER_COLUMNS)}."
        )
    ratings: dict[str, Ratings] = {}
    for name, (primary, secondary, rating) in answers:
        ratings.setdefault(name, Ratings()).add(primary, secondary, rating)
    return ratings


def parse_detail(detail: str) -> Answer:
    """``WORKER1; Happy; Excited,Amused; A:5; V:3; D:4;`` -> primary, secondary, (valence, arousal, dominance)."""
    parts = [part.strip() for part in detail.split(";")]
    words = [part for part in parts[1:] if part and not RATING.fullmatch(part)]
    values = {letter: number(value) for letter, value in RATING.findall(detail)}
    secondary = words[1].split(",") if len(words) > 1 else []
    return words[0] if words else "", secondary, attributes(values.get("V"), values.get("A"), values.get("D"))


def one_column(table: pd.DataFrame) -> Iterator[tuple[str, Answer]]:
    for name, detail in zip(table["FileName"], table["EmoDetail"], strict=True):
        yield name, parse_detail(detail)


def separate_columns(table: pd.DataFrame) -> Iterator[tuple[str, Answer]]:
    empty = [""] * len(table)
    columns = ("EmoClass_Major", "EmoClass_Second", "EmoVal", "EmoAct", "EmoDom")
    cells = [table.get(name, empty) for name in columns]
    for name, primary, second, valence, arousal, dominance in zip(table["FileName"], *cells, strict=True):
        rating = attributes(number(valence), number(arousal), number(dominance))
        yield name, (primary, re.split(r"[,;]", second), rating)


def attributes(valence: float | None, arousal: float | None, dominance: float | None) -> Rating:
    missing = math.nan
    return (
        missing if valence is None else valence,
        missing if arousal is None else arousal,
        missing if dominance is None else dominance,
    )


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def known(word: str) -> str:
    """One of the eight categories, or other: further tags (Amused, Frustrated, …) and free text are no category here."""
    category = category_of(word)
    return category if category in CATEGORIES else OTHER


def consensus_rows(
    folder: Path, audio: Mapping[str, str], consensus: pd.DataFrame, ratings: Mapping[str, Ratings]
) -> Iterator[Utterance]:
    transcripts = {
        p.stem: p for p in files_below(folder) if p.parent.name == "Transcripts" and p.suffix == ".txt"
    }
    for row in consensus.to_dict("records"):
        name = row["FileName"]
        stem = Path(name).stem
        rated = ratings.get(name) or from_consensus(row)
        speaker = row.get("SpkrID", "")
        yield Utterance(
            utterance=stem,
            path=audio.get(stem, f"Audios/{name}"),
            votes=rated.votes,
            mentions=rated.mentions,
            speaker="" if speaker.strip().lower() in UNKNOWN_SPEAKERS else speaker,
            split=row.get("Split_Set", ""),
            text=transcripts[stem].read_text(errors="replace").strip() if stem in transcripts else "",
            ratings=rated.attributes,
            slices={"gender": row.get("Gender", "").lower(), "consensus": row.get("EmoClass", "")},
        )


def from_consensus(row: Mapping[str, str]) -> Ratings:
    """From the consensus file alone: one vote, or none where the raters did not agree."""
    ratings = Ratings()
    letter = row.get("EmoClass", "")
    if letter in LETTERS:
        ratings.votes[LETTERS[letter]] += 1
    elif letter not in ("", NO_AGREEMENT):
        raise ValueError(f"corpus {CORPUS!r}: unknown consensus class {letter!r} of {row['FileName']}.")
    rating = attributes(*(number(row.get(name, "")) for name in ("EmoVal", "EmoAct", "EmoDom")))
    if not all(math.isnan(value) for value in rating):
        ratings.attributes.append(rating)
    return ratings

"""CREMA-D: 91 actors, twelve sentences; about ten raters judged every clip by voice, by face and by both.

``1001_IEO_HAP_MD.wav`` = actor, sentence, intended emotion, intended level. ``tabulatedVotes.csv`` counts the votes: row ids
from 100001 on are for the voice alone, from 200001 for the face alone, from 300001 for both.

References
----------
[1] Cao et al. CREMA-D: Crowd-sourced emotional multimodal actors dataset. IEEE Trans. Affective Computing 5(4), 2014.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from tamis.emotion.corpora.delimited import read_delimited
from tamis.emotion.corpora.readers.files import by_stem, corpus_folder, find_any
from tamis.emotion.corpora.table import Corpus, Utterance, build_corpus

CORPUS = "crema-d"
CATEGORIES = ("angry", "disgust", "fear", "happy", "neutral", "sad")
LETTERS = dict(zip("ADFHNS", CATEGORIES, strict=True))
INTENDED = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
FIRST_ROW = {"voice": 100_000, "face": 200_000, "both": 300_000}
ROWS = 100_000
NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX|X)")
SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}


def read_crema_d(folder: str | Path, judged_by: Literal["voice", "face", "both"] = "voice") -> Corpus:
    """Read CREMA-D.

    Parameters
    ----------
    folder : path
        Holds ``tabulatedVotes.csv`` and the audio, at any depth. Without the votes, each clip gets one vote for the
        emotion its actor intended; without audio, the paths point to where it belongs.
    judged_by : "voice", "face" or "both"
        Which of the three ratings to take.
    """
    folder = corpus_folder(folder, CORPUS)
    files, notes = by_stem(folder, CORPUS)
    audio = {stem: path for stem, path in files.items() if NAME.fullmatch(stem)}
    if found := find_any(folder, CORPUS, "tabulatedVotes.csv"):
        votes = tabulated(found, judged_by)
        unjudged = sorted(set(audio) - set(votes))
        if unjudged:
            notes.append(f"{len(unjudged)} clips without votes left out")
    else:
        votes = {stem: {INTENDED[match[3]]: 1.0} for stem in audio if (match := NAME.fullmatch(stem))}
        notes.append("no tabulatedVotes.csv: one vote per clip, for the emotion its actor intended")
    return build_corpus(CORPUS, CATEGORIES, rows(folder, audio, votes), folder, "ODbL 1.0", notes)


def tabulated(path: Path, judged_by: Literal["voice", "face", "both"]) -> dict[str, dict[str, float]]:
    """Votes per clip name.

    Raises
    ------
    ValueError   if the file lacks a column.
    """
    table, _ = read_delimited(path, CORPUS, text_columns=("fileName",))
    if missing := {"fileName", *LETTERS} - set(table.columns):
        raise ValueError(f"corpus {CORPUS!r}: {path.name} lacks the column(s) {', '.join(sorted(missing))}.")
    first = FIRST_ROW[judged_by]
    row_ids = table.iloc[:, 0]
    table = table[(row_ids > first) & (row_ids <= first + ROWS)]
    return {
        row["fileName"]: {name: float(row[letter]) for letter, name in LETTERS.items()}
        for row in table.to_dict("records")
    }


def rows(
    folder: Path, audio: Mapping[str, str], votes: Mapping[str, Mapping[str, float]]
) -> Iterator[Utterance]:
    genders = actor_genders(folder)
    for stem, counts in votes.items():
        if not (match := NAME.fullmatch(stem)):
            continue
        actor, sentence, intended, level = match.groups()
        yield Utterance(
            utterance=stem,
            path=audio.get(stem, f"AudioWAV/{stem}.wav"),
            votes=counts,
            speaker=actor,
            text=SENTENCES.get(sentence, ""),
            slices={"intended": INTENDED.get(intended, ""), "level": level, "gender": genders.get(actor, "")},
        )


def actor_genders(folder: Path) -> dict[str, str]:
    found = find_any(folder, CORPUS, "VideoDemographics.csv")
    if not found:
        return {}
    table, _ = read_delimited(found, CORPUS)
    return {actor: sex.lower() for actor, sex in zip(table["ActorID"], table["Sex"], strict=True)}

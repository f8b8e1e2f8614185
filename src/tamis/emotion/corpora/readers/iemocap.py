"""IEMOCAP: five sessions of two actors; three outside raters a turn and everybody's attribute ratings.

``Session1/dialog/EmoEvaluation/Ses01F_impro01.txt`` holds, for every turn, a header
``[6.2901 - 8.2357]  Ses01F_impro01_F000  neu  [2.5000, 2.5000, 2.5000]``, then ``C-E2: Neutral;  ()`` (categories, may be
several) and ``A-E3: val 3; act 2; dom 2;  ()`` per rater. Actors' ratings of themselves (``C-F1``, ``C-M1``) are left out.
Of several categories by one rater the first is the vote and the others are mentions. Ratings of 1..5 become 1..7.

References
----------
[1] Busso et al. IEMOCAP: interactive emotional dyadic motion capture database. LREV 42, 2008.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tamis.emotion.corpora.categories import OTHER
from tamis.emotion.corpora.labels import category_of
from tamis.emotion.corpora.readers.files import by_stem, corpus_folder
from tamis.emotion.corpora.table import Corpus, Rating, Utterance, build_corpus, rescale
from tamis.storage import files_below

CORPUS = "iemocap"
CATEGORIES = ("angry", "happy", "sad", "neutral", "frustrated", "excited", "fear", "surprise", "disgust")
TURN = re.compile(r"\[([\d.]+) - ([\d.]+)\]\s+(Ses(\d\d)[FM]_\w+?_([FM])\w*)\s+(\w+)\s+\[")
CATEGORY_LINE = re.compile(r"C-E\d+:\s*(.*?)\s*\(")
ATTRIBUTE_LINE = re.compile(r"A-E\d+:\s*val\s*(\d*)\s*;\s*act\s*(\d*)\s*;\s*dom\s*(\d*)")
TRANSCRIPT_LINE = re.compile(r"(Ses\w+) \[[\d.]+-[\d.]+\]: ?(.*)")


def read_iemocap(folder: str | Path) -> Corpus:
    """Read IEMOCAP from its release folder (the one that holds ``Session1`` …).

    The split column is the session (``session1`` …), for leave-one-session-out. Four-class work is
    ``regroup(corpus, ("angry", "happy", "sad", "neutral"), {"excited": "happy"})``.
    """
    folder = corpus_folder(folder, CORPUS)
    files = text_files(folder, "EmoEvaluation")
    if not files:
        raise FileNotFoundError(
            f"corpus {CORPUS!r}: found no Session*/dialog/EmoEvaluation/*.txt under {folder}."
        )
    (audio, notes), texts = by_stem(folder, CORPUS), transcripts(folder)
    rows = (row for path in files for row in evaluation_rows(path, audio, texts))
    return build_corpus(CORPUS, CATEGORIES, rows, folder, "licence by request form, no redistribution", notes)


def text_files(folder: Path, inside: str) -> list[Path]:
    return [p for p in files_below(folder) if p.parent.name == inside and p.suffix.lower() == ".txt"]


def transcripts(folder: Path) -> dict[str, str]:
    lines = (
        line
        for path in text_files(folder, "transcriptions")
        for line in path.read_text(errors="replace").splitlines()
    )
    return {match[1]: match[2].strip() for line in lines if (match := TRANSCRIPT_LINE.match(line))}


def evaluation_rows(path: Path, audio: dict[str, str], texts: dict[str, str]) -> Iterator[Utterance]:
    blocks = re.split(r"\n(?=\[)", path.read_text(errors="replace"))
    for block in blocks:
        if turn := TURN.search(block):
            _, _, name, session, gender, consensus = turn.groups()
            votes, mentions = category_counts(block)
            yield Utterance(
                utterance=name,
                path=audio.get(name, f"Session{int(session)}/sentences/wav/{name[:-5]}/{name}.wav"),
                votes=votes,
                mentions=mentions,
                speaker=f"Ses{session}_{gender}",
                split=f"session{int(session)}",
                text=texts.get(name, ""),
                ratings=[attribute_rating(match) for match in ATTRIBUTE_LINE.finditer(block)],
                slices={"gender": {"F": "female", "M": "male"}[gender], "consensus": consensus},
            )


def category_counts(block: str) -> tuple[Counter[str], Counter[str]]:
    votes: Counter[str] = Counter()
    mentions: Counter[str] = Counter()
    for match in CATEGORY_LINE.finditer(block):
        words = [known(word) for word in match[1].split(";") if word.strip()]
        votes.update(words[:1])
        mentions.update(word for word in dict.fromkeys(words[1:]) if word != words[0])
    return votes, mentions


def known(word: str) -> str:
    category = category_of(word)
    return category if category in CATEGORIES else OTHER


def attribute_rating(match: re.Match[str]) -> Rating:
    valence, arousal, dominance = (rescale(float(v), 1, 5) if v else math.nan for v in match.groups())
    return valence, arousal, dominance

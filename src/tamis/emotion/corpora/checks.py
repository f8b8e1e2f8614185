"""What is wrong with a corpus, found before hours of computing: leaks, duplicates, damaged audio, empty classes."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tamis.emotion.corpora.categories import OTHER
from tamis.emotion.corpora.table import Corpus
from tamis.emotion.signal import AudioError, read_audio


@dataclass(frozen=True)
class Findings:
    """What :func:`check_corpus` found; every field is empty or zero for a corpus without faults.

    Attributes
    ----------
    leaking_speakers : dict of speaker to its splits
        Speakers who occur in more than one split.
    duplicates : tuple of tuples of utterances
        Groups with byte-identical audio (and the same part of it).
    crossing_duplicates : int
        Groups of duplicates that stand in more than one split.
    missing, damaged : tuple of (utterance, reason)
    empty_categories : tuple of str
        Categories without a vote.
    unlabelled : int
        Utterances without a vote in any category ("other" not counted).
    single_vote : int
        Utterances with one vote: their distribution says nothing about disagreement.
    unknown_speakers : int
    """

    leaking_speakers: dict[str, tuple[str, ...]]
    duplicates: tuple[tuple[str, ...], ...]
    crossing_duplicates: int
    missing: tuple[tuple[str, str], ...]
    damaged: tuple[tuple[str, str], ...]
    empty_categories: tuple[str, ...]
    unlabelled: int
    single_vote: int
    unknown_speakers: int

    @property
    def unusable(self) -> int:
        """Utterances that extraction would skip."""
        return len(self.missing) + len(self.damaged)


def check_corpus(corpus: Corpus) -> Findings:
    """Read every file of a corpus and count its votes; nothing raises, everything is listed."""
    missing, damaged, same = read_all(corpus)
    split = dict(zip(corpus.table["utterance"], corpus.table["split"], strict=True))
    duplicates = tuple(tuple(group) for group in same.values() if len(group) > 1)
    votes = corpus.table[[f"votes/{c}" for c in corpus.categories]].to_numpy()
    every_vote = votes.sum(axis=1) + corpus.table[f"votes/{OTHER}"].to_numpy()
    return Findings(
        leaking_speakers=leaking_speakers(corpus),
        duplicates=duplicates,
        crossing_duplicates=sum(len({split[name] for name in group}) > 1 for group in duplicates),
        missing=tuple(missing),
        damaged=tuple(damaged),
        empty_categories=tuple(
            c for c, n in zip(corpus.categories, votes.sum(axis=0), strict=True) if n == 0
        ),
        unlabelled=int((votes.sum(axis=1) == 0).sum()),
        single_vote=int((every_vote == 1).sum()),
        unknown_speakers=int((corpus.table["speaker"] == "").sum()),
    )


def leaking_speakers(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    """Known speakers who stand in more than one split."""
    known = corpus.table[(corpus.table["speaker"] != "") & (corpus.table["split"] != "")]
    splits = known.groupby("speaker")["split"].unique()
    return {str(speaker): tuple(sorted(found)) for speaker, found in splits.items() if len(found) > 1}


def read_all(
    corpus: Corpus,
) -> tuple[list[tuple[str, str]], list[tuple[str, str]], dict[tuple[str, str], list[str]]]:
    """Missing files, damaged ones, and utterances by their content."""
    missing, damaged = [], []
    same: dict[tuple[str, str], list[str]] = defaultdict(list)
    digests: dict[Path, str] = {}
    for row, (name, start_s, end_s) in enumerate(
        zip(*(corpus.table[c] for c in ("utterance", "start_s", "end_s")), strict=True)
    ):
        path = corpus.audio_path(row)
        try:
            read_audio(path, float(np.nan_to_num(start_s)), None if np.isnan(end_s) else end_s)
        except FileNotFoundError as error:
            missing.append((name, str(error)))
            continue
        except (OSError, AudioError) as error:
            damaged.append((name, str(error)))
            continue
        if path not in digests:
            digests[path] = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        same[digests[path], f"{start_s}..{end_s}"].append(name)
    return missing, damaged, same

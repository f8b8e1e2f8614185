"""What looks like a slip in a table that can be read all the same: told in the notes of the corpus, never mended in silence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from tamis.emotion.corpora.categories import OTHER
from tamis.emotion.corpora.labels import meant_by


def doubts(table: pd.DataFrame, categories: tuple[str, ...], folder: Path) -> Iterator[str]:
    """One line per doubt, each with a count."""
    votes = table[[f"votes/{c}" for c in categories]]
    yield from unknown_words(votes, categories)
    named = [c for c in categories if votes[f"votes/{c}"].any()]
    if len(named) == 1:
        yield f"all votes are for one category, {named[0]}: nothing can be trained on that"
    if silent := int((votes.sum(axis=1) + table[f"votes/{OTHER}"] == 0).sum()):
        yield f"{silent} of {len(table)} utterances without a label"
    yield from lost_speakers(table["speaker"])
    missing = [name for name in dict.fromkeys(table["path"]) if not (folder / name).exists()]
    if missing:
        yield f"{len(missing)} audio files are not there; the first is {missing[0]}"


def unknown_words(votes: pd.DataFrame, categories: tuple[str, ...]) -> Iterator[str]:
    """Categories that resemble a known one, or a more frequent one of the same corpus."""
    counts = {c: float(votes[f"votes/{c}"].sum()) for c in categories}
    for word in categories:
        commoner = [c for c in categories if counts[c] > counts[word]]
        if meant := meant_by(word, commoner):
            yield f"category {word!r} ({counts[word]:g} votes): did you mean {meant!r}?"


def lost_speakers(speakers: pd.Series) -> Iterator[str]:
    if unknown := int((speakers == "").sum()):
        yield (
            f"{unknown} of {len(speakers)} utterances without a speaker: each counts as a speaker of its own, so that one "
            "person's recordings may be trained on and measured on"
        )
    for spellings in alike(set(speakers) - {""}):
        yield f"speakers {', '.join(map(repr, spellings))} differ by case or spaces only; each counts as another"


def alike(names: Iterable[str]) -> Iterator[list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups["".join(name.lower().split())].append(name)
    return (sorted(group) for group in groups.values() if len(group) > 1)

"""One table per corpus: raw votes and ratings, from which every target rule is derived later.

Columns of :attr:`Corpus.table` (those of a feature set's index, :mod:`tamis.emotion.data.feature_set`, and where the audio is):

===========================  ===============================================================================
``utterance``                unique name
``path``                     audio file, absolute, or relative to the corpus folder
``start_s``, ``end_s``       the part of the file; NaN = from its beginning, to its end
``speaker``, ``split``       empty where unknown; a split is ``train``, ``development``, ``test`` or a name of its own
``text``                     transcript, empty where none
``votes/<category>``         primary votes; also ``votes/other``
``mentions/<category>``      secondary mentions, the primary vote not counted again; also ``mentions/other``
``valence``, ``arousal``, …  mean rating on 1..7, NaN where not rated
``ratings``                  JSON list of every rater's ``[valence, arousal, dominance]`` on 1..7, null where none
===========================  ===============================================================================

Further columns (``gender``, ``intensity``, …) are kept for slicing results.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from tamis.emotion.corpora.categories import ATTRIBUTE_RANGE, ATTRIBUTES, OTHER
from tamis.emotion.corpora.doubts import doubts
from tamis.emotion.corpora.splits import split_name

Rating = tuple[float, float, float]
"""One rater's valence, arousal, dominance on 1..7; NaN where not given."""

UNRATED = float("nan")


@dataclass(frozen=True)
class Utterance:
    """One row, as a reader finds it. ``votes`` and ``mentions`` may be sparse and may name ``"other"``."""

    utterance: str
    path: str
    votes: Mapping[str, float]
    mentions: Mapping[str, float] = field(default_factory=dict)
    start_s: float = math.nan
    end_s: float = math.nan
    speaker: str = ""
    split: str = ""
    text: str = ""
    ratings: Sequence[Rating] = ()
    slices: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Corpus:
    """A corpus: its table, licence and reader's notes.

    Attributes
    ----------
    name : str
    categories : tuple of str
        Order of every vote vector.
    table : pandas.DataFrame
        Columns as listed above.
    folder : Path
        Where relative audio paths start.
    licence : str
        What its owners allow, for the model card; empty where the reader cannot know.
    notes : tuple of str
        What the reader left out and why, each with a count.
    """

    name: str
    categories: tuple[str, ...]
    table: pd.DataFrame
    folder: Path
    licence: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    def audio_path(self, row: int) -> Path:
        """Absolute path of an utterance's audio."""
        return self.folder / str(self.table["path"].iloc[row])


def build_corpus(
    name: str,
    categories: Sequence[str],
    rows: Iterable[Utterance],
    folder: str | Path,
    licence: str = "",
    notes: Sequence[str] = (),
) -> Corpus:
    """Make the table of a corpus from its rows.

    Raises
    ------
    ValueError   for no rows, a repeated utterance, a vote outside ``categories``, a negative vote or a rating off 1..7.
    """
    rows = list(rows)
    if not rows:
        raise ValueError(f"corpus {name!r}: no utterances found under {folder}. " + " ".join(notes))
    for row in rows:
        check_row(name, tuple(categories), row)
    table = pd.DataFrame(
        {
            "utterance": [row.utterance for row in rows],
            "path": [row.path for row in rows],
            "start_s": [row.start_s for row in rows],
            "end_s": [row.end_s for row in rows],
            "speaker": [row.speaker.strip() for row in rows],
            "split": [split_name(row.split) for row in rows],
            "text": [row.text for row in rows],
            **count_columns("votes", categories, [row.votes for row in rows]),
            **count_columns("mentions", categories, [row.mentions for row in rows]),
            **attribute_columns([row.ratings for row in rows]),
            **slice_columns([row.slices for row in rows]),
        }
    )
    if (twice := table["utterance"][table["utterance"].duplicated()]).size:
        raise ValueError(
            f"corpus {name!r}: utterance {twice.iloc[0]!r} is listed more than once. If these are several raters, give one row "
            "with votes/<category> columns; if it is one file in several parts, give start_s and end_s."
        )
    found = (*notes, *doubts(table, tuple(categories), Path(folder)))
    return Corpus(name, tuple(categories), table, Path(folder), licence, found)


def check_row(name: str, categories: tuple[str, ...], row: Utterance) -> None:
    for kind, counts in (("vote", row.votes), ("mention", row.mentions)):
        for category, count in counts.items():
            if category not in categories and category != OTHER:
                raise ValueError(
                    f"corpus {name!r}, utterance {row.utterance!r}: {kind} for {category!r}; the categories are "
                    f"{', '.join(categories)} and {OTHER}."
                )
            if not 0 <= count < math.inf:
                raise ValueError(
                    f"corpus {name!r}, utterance {row.utterance!r}: {count} {kind}s for {category!r}."
                )
    low, high = ATTRIBUTE_RANGE
    for rating in row.ratings:
        if any(not (math.isnan(value) or low <= value <= high) for value in rating):
            raise ValueError(
                f"corpus {name!r}, utterance {row.utterance!r}: rating {rating} is not on {low:g}..{high:g}."
            )


def count_columns(
    kind: str, categories: Sequence[str], counts: Sequence[Mapping[str, float]]
) -> dict[str, list[float]]:
    return {f"{kind}/{c}": [float(row.get(c, 0.0)) for row in counts] for c in (*categories, OTHER)}


def attribute_columns(ratings: Sequence[Sequence[Rating]]) -> dict[str, list[float] | list[str]]:
    means = [mean_rating(row) for row in ratings]
    columns: dict[str, list[float] | list[str]] = {
        attribute: [mean[i] for mean in means] for i, attribute in enumerate(ATTRIBUTES)
    }
    columns["ratings"] = [ratings_to_json(row) for row in ratings]
    return columns


def mean_rating(ratings: Sequence[Rating]) -> Rating:
    """Mean over the raters who rated, each attribute by itself; NaN where nobody did."""
    values = np.asarray(ratings, dtype=np.float64).reshape(-1, 3)
    given = ~np.isnan(values)
    counts = given.sum(axis=0)
    sums = np.where(given, values, 0.0).sum(axis=0)
    valence, arousal, dominance = (s / n if n else UNRATED for s, n in zip(sums, counts, strict=True))
    return float(valence), float(arousal), float(dominance)


def ratings_to_json(ratings: Sequence[Rating]) -> str:
    return (
        json.dumps([[None if math.isnan(v) else v for v in rating] for rating in ratings]) if ratings else ""
    )


def ratings_from_json(text: str) -> list[Rating]:
    """Inverse of the table's ``ratings`` column."""
    if not text:
        return []
    rows = [[math.nan if v is None else float(v) for v in rating] for rating in json.loads(text)]
    return [(v, a, d) for v, a, d in rows]


def slice_columns(slices: Sequence[Mapping[str, str | float]]) -> dict[str, list[str | float]]:
    names = dict.fromkeys(name for row in slices for name in row)
    return {name: [row.get(name, "") for row in slices] for name in names}


def rescale(value: float, low: float, high: float) -> float:
    """A rating given on low..high, on this table's 1..7."""
    first, last = ATTRIBUTE_RANGE
    return first + (value - low) * (last - first) / (high - low)

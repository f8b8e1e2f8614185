"""Tables and lines that ``tamis emotion`` prints of corpora and evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from pandas import DataFrame

    from tamis.emotion.corpora import Corpus, Findings


def corpus_table(found: Corpus) -> Table:
    table = Table("category", "votes", "mentions", "utterances with it first")
    votes = found.table[[f"votes/{c}" for c in found.categories]].to_numpy()
    first = votes.argmax(axis=1)[votes.sum(axis=1) > 0]
    for i, category in enumerate(found.categories):
        mentions = found.table[f"mentions/{category}"].sum()
        table.add_row(category, f"{votes[:, i].sum():g}", f"{mentions:g}", str((first == i).sum()))
    speakers = found.table["speaker"].replace("", None).nunique()
    splits = found.table["split"].replace("", "none").value_counts()
    table.title = f"{found.name}: {len(found)} utterances, {speakers} speakers"
    table.caption = ", ".join(f"{split} {count}" for split, count in splits.items())
    return table


def models_table(rows: list[dict[str, Any]]) -> Table:
    """One line per model: figures with their intervals, and how much better the ensemble is."""
    table = Table("model", "macro-F1", "UAR", "accuracy", "JSD", "ECE", "ensemble's gain in macro-F1")
    for row in rows:
        ranges = [
            f"{row[f]:.3f} [{row[f + '_low']:.3f}, {row[f + '_high']:.3f}]" for f in ("macro_f1", "uar")
        ]
        gain = row.get("macro_f1_gain", math.nan)
        gained = (
            ""
            if math.isnan(gain)
            else f"{gain:+.3f} [{row['macro_f1_gain_low']:+.3f}, {row['macro_f1_gain_high']:+.3f}]"
        )
        table.add_row(row["model"], *ranges, *(f"{row[f]:.3f}" for f in ("accuracy", "jsd", "ece")), gained)
    return table


def plain_table(title: str, frame: DataFrame) -> Table:
    table = Table(*map(str, frame.columns), title=title)
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    return table


def finding_lines(found: Findings) -> Iterator[str]:
    for speaker, splits in found.leaking_speakers.items():
        yield f"leak: speaker {speaker} is in {', '.join(splits)}"
    for group in found.duplicates:
        yield f"duplicates: {', '.join(group)}"
    for kind, entries in (("missing", found.missing), ("damaged", found.damaged)):
        for name, reason in entries:
            yield f"{kind}: {name}: {reason}"
    for category in found.empty_categories:
        yield f"empty: no votes for {category}"
    yield (
        f"{found.unusable} unusable, {found.unlabelled} unlabelled, {found.single_vote} with one vote, "
        f"{found.unknown_speakers} of unknown speaker, {found.crossing_duplicates} duplicate groups across splits"
    )

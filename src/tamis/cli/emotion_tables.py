"""Tables and lines that ``tamis emotion`` prints of corpora and evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.table import Table

if TYPE_CHECKING:
    from pandas import DataFrame

    from tamis.emotion.corpora import Corpus, Findings
    from tamis.emotion.evaluation import Evaluation

HEADS = {
    "utterances": "clips",
    "agreed": "clips",
    "macro_f1": "macro-F1",
    "uar": "UAR",
    "f1": "F1",
    "jsd": "JSD",
    "ece": "ECE",
    "ccc_valence": "CCC valence",
    "ccc_arousal": "arousal",
    "ccc_dominance": "dominance",
}
COUNTS = ("utterances", "agreed")
ATTRIBUTES = ("ccc_valence", "ccc_arousal", "ccc_dominance")
LETTERS = 5


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


def evaluation_tables(found: Evaluation) -> Iterator[Table]:
    """What fits 80 columns; all figures are in the CSV files."""
    models = found.models.to_dict("records")
    yield models_table(models)
    yield more_of_models(models)
    yield figures_table(
        "the ensemble by category", found.categories, ("category", "utterances", "recall", "precision", "f1")
    )
    yield confusion_table(found.categories)
    if len(found.slices):
        figures = ("slice", "value", "agreed", "uar", "macro_f1", "accuracy", "jsd", "ece")
        yield figures_table("the ensemble by slice", found.slices, figures)
        if found.slices[list(ATTRIBUTES)].notna().any(axis=None):
            yield figures_table(
                "its attributes by slice", found.slices, ("slice", "value", "utterances", *ATTRIBUTES)
            )


def models_table(rows: list[dict[str, Any]]) -> Table:
    table = narrow("models, with 95 % intervals over speakers", "model", "UAR", "macro-F1")
    for row in rows:
        table.add_row(row["model"], with_interval(row, "uar"), with_interval(row, "macro_f1"))
    return table


def more_of_models(rows: list[dict[str, Any]]) -> Table:
    table = narrow("models", "model", "accuracy", "JSD", "ECE", "ensemble's gain (UAR)")
    for row in rows:
        table.add_row(
            row["model"],
            *(short(row[f]) for f in ("accuracy", "jsd", "ece")),
            with_interval(row, "uar_gain", "+"),
        )
    return table


def ablations_table(frame: DataFrame) -> Table:
    table = narrow(
        "ablations, paired with the full ensemble", "ablation", "seeds", "UAR", "gain in UAR", "macro-F1"
    )
    for row in frame.to_dict("records"):
        gain = with_interval(row, "uar_gain", "+")
        table.add_row(row["ablation"], str(row["seeds"]), short(row["uar"]), gain, short(row["macro_f1"]))
    return table


def confusion_table(frame: DataFrame) -> Table:
    """Rows are the raters' category; heads are cut to their first letters."""
    heard = [c for c in frame if c.startswith("as/")]
    table = narrow(
        "taken for (rows: the raters' category)", "", *(c.removeprefix("as/")[:LETTERS] for c in heard)
    )
    for row in frame.to_dict("records"):
        table.add_row(row["category"], *(str(row[c]) for c in heard))
    return table


def figures_table(title: str, frame: DataFrame, columns: Sequence[str]) -> Table:
    table = narrow(title, *(HEADS.get(c, c) for c in columns))
    for row in frame.to_dict("records"):
        table.add_row(*(short(row[c]) if c not in COUNTS else f"{row[c]:g}" for c in columns))
    return table


def narrow(title: str, *heads: str) -> Table:
    """Without rules between columns; numbers to the right."""
    table = Table(title=title, box=SIMPLE, title_justify="left", pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i == 0 else "right", no_wrap=i > 0)
    return table


def with_interval(row: dict[str, Any], name: str, sign: str = "") -> str:
    if name not in row or math.isnan(row[name]):
        return ""
    low, high = (short(row[f"{name}_{end}"], sign) for end in ("low", "high"))
    return f"{short(row[name], sign)} [{low}, {high}]"


def short(value: Any, sign: str = "") -> str:
    """Three digits after the point, and nothing before it where that is a zero; empty for NaN; words as they are."""
    if not isinstance(value, float):
        return str(value)
    return (
        ""
        if math.isnan(value)
        else f"{value:{sign}.3f}".replace("0.", ".", 1)
        if abs(value) < 1
        else f"{value:{sign}.3f}"
    )


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

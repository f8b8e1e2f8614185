"""Corpora as plain CSV: anybody's list of files and labels, and our own tables written and read again.

The least a file needs is ``path`` and ``emotion``. All columns of :mod:`tamis.emotion.corpora.table` are understood; with
``votes/<category>`` columns those are the votes and ``emotion`` is not needed. Anything else is kept for slicing results.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from tamis.emotion.corpora.categories import ATTRIBUTES, OTHER
from tamis.emotion.corpora.labels import category_of
from tamis.emotion.corpora.table import Corpus, Rating, Utterance, build_corpus, ratings_from_json

KNOWN = (
    "utterance",
    "path",
    "start_s",
    "end_s",
    "speaker",
    "split",
    "text",
    "ratings",
    "emotion",
    *ATTRIBUTES,
)
TEXT_COLUMNS = ("utterance", "path", "speaker", "split", "text", "ratings", "emotion")
KINDS = ("votes/", "mentions/")


def read_csv(path: str | Path, name: str | None = None) -> Corpus:
    """Read a corpus from a CSV file; relative audio paths start at the file's folder.

    Raises
    ------
    FileNotFoundError   if there is no such file.
    ValueError          if it lacks ``path`` or any label, or a cell is not what its column holds.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"corpus: there is no file {path}.")
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(TEXT_COLUMNS, str), encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"corpus {path.name}: this is not a CSV file in UTF-8 ({error}).") from error
    return corpus_from_table(table, name or path.stem, path.parent)


def corpus_from_table(table: pd.DataFrame, name: str, folder: Path) -> Corpus:
    """A corpus from a table with the columns listed above."""
    has_votes = any(column.startswith("votes/") for column in table)
    if "path" not in table or not (has_votes or "emotion" in table):
        raise ValueError(
            f"corpus {name!r}: the columns are {', '.join(map(str, table))}; expected path, and either emotion or "
            "votes/<category>."
        )
    if has_votes:
        counted = (c.partition("/")[2] for c in table if c.startswith(KINDS))
        categories = tuple(c for c in dict.fromkeys(counted) if c != OTHER)
    else:
        found = table["emotion"].dropna().map(category_of)
        categories = tuple(c for c in sorted(set(found)) if c != OTHER)
    rows = [read_row(row, has_votes) for row in table.to_dict("records")]
    return build_corpus(name, categories, rows, folder)


def read_row(row: dict[str, Any], has_votes: bool) -> Utterance:
    path = text(row["path"])
    extra = {k: v for k, v in row.items() if k not in KNOWN and not k.startswith(KINDS)}
    word = text(row.get("emotion"))
    return Utterance(
        utterance=text(row.get("utterance")) or default_name(path, number(row.get("start_s"))),
        path=path,
        votes=counts(row, "votes/") if has_votes else ({category_of(word): 1} if word else {}),
        mentions=counts(row, "mentions/"),
        start_s=number(row.get("start_s")),
        end_s=number(row.get("end_s")),
        speaker=text(row.get("speaker")),
        split=text(row.get("split")),
        text=text(row.get("text")),
        ratings=ratings(row),
        slices={
            k: ("" if v is None or (isinstance(v, float) and math.isnan(v)) else v) for k, v in extra.items()
        },
    )


def default_name(path: str, start_s: float) -> str:
    stem = str(Path(path).with_suffix("")).replace("/", "_")
    return stem if math.isnan(start_s) else f"{stem}_{start_s:g}"


def counts(row: dict[str, Any], kind: str) -> dict[str, float]:
    return {
        k.removeprefix(kind): value for k in row if k.startswith(kind) and (value := number(row[k])) == value
    }


def ratings(row: dict[str, Any]) -> list[Rating]:
    """Every rater's, where the column ``ratings`` has them; else the means as if of one rater."""
    if written := text(row.get("ratings")):
        try:
            return ratings_from_json(written)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"corpus: ratings {written[:60]!r} are not [[valence, arousal, dominance], …]."
            ) from error
    valence, arousal, dominance = (number(row.get(name)) for name in ATTRIBUTES)
    return (
        []
        if math.isnan(valence + arousal + dominance)
        and all(math.isnan(v) for v in (valence, arousal, dominance))
        else [(valence, arousal, dominance)]
    )


def number(cell: Any) -> float:
    if cell is None or cell == "":
        return math.nan
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise ValueError(f"corpus: {cell!r} stands where a number was expected.") from None


def text(cell: Any) -> str:
    """A cell as text; speaker numbers that came as numbers are names all the same."""
    if isinstance(cell, str):
        return cell.strip()
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    return str(int(cell)) if float(cell).is_integer() else str(cell)


def write_csv(corpus: Corpus, path: str | Path) -> None:
    """Write a corpus; audio paths are made absolute, so that the file may lie anywhere. :func:`read_csv` reads it."""
    table = corpus.table.copy()
    table["path"] = [corpus.audio_path(row).resolve().as_posix() for row in range(len(corpus))]
    table.to_csv(path, index=False)

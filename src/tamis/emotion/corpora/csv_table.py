"""Corpora as plain CSV: anybody's list of files and labels, and our own tables written and read again.

The least a file needs is ``path`` and ``emotion``. All columns of :mod:`tamis.emotion.corpora.table` are understood; with
``votes/<category>`` columns those are the votes and ``emotion`` is not needed. Anything else is kept for slicing results.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import pandas as pd

from tamis.emotion.corpora.categories import ATTRIBUTES, OTHER
from tamis.emotion.corpora.delimited import UNNAMED, read_delimited
from tamis.emotion.corpora.labels import one_vote
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


def read_csv(path: str | Path, name: str | None = None, encoding: str | None = None) -> Corpus:
    """Read a corpus from a CSV file; relative audio paths start at the file's folder.

    Parameters
    ----------
    path : path
        Comma, semicolon, tab or bar between cells; UTF-8, UTF-16 or another code page. A note of the corpus says what was found,
        unless it is UTF-8 with commas.
    name : str, optional
        Of the corpus; by default the file's.
    encoding : str, optional
        By its Python name, where the detected one is wrong.

    Raises
    ------
    FileNotFoundError   if there is no such file.
    ValueError          if it lacks ``path`` or any label, or a cell is not what its column holds.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"corpus: there is no file {path}.")
    name = name or path.stem
    table, notes = read_delimited(path, name, text_columns=TEXT_COLUMNS, known=KNOWN, encoding=encoding)
    return corpus_from_table(table, name, path.parent, notes)


def corpus_from_table(table: pd.DataFrame, name: str, folder: Path, notes: Sequence[str] = ()) -> Corpus:
    """A corpus from a table with the columns listed above; rows that stand there twice, cell by cell, are taken once."""
    has_votes = any(column.startswith("votes/") for column in table)
    if "path" not in table or not (has_votes or "emotion" in table):
        raise ValueError(
            f"corpus {name!r}: the columns are {', '.join(map(str, table))}; expected path, and either emotion or "
            "votes/<category>."
        )
    kept = table[~table.astype(str).duplicated()]
    if repeated := len(table) - len(kept):
        notes = [*notes, f"{repeated} repeated rows left out"]
    if has_votes:
        counted = (c.partition("/")[2] for c in table if c.startswith(KINDS))
        categories = tuple(c for c in dict.fromkeys(counted) if c != OTHER)
    else:
        found = {c for word in kept["emotion"] for c in one_vote(text(word))}
        categories = tuple(c for c in sorted(found) if c != OTHER)
    rows = [read_row(row, has_votes) for row in kept.to_dict("records")]
    return build_corpus(name, categories, rows, folder, notes=notes)


def read_row(row: dict[str, Any], has_votes: bool) -> Utterance:
    path = text(row["path"])
    if not path:
        raise ValueError(f"corpus: a row without a path: {', '.join(map(str, row.values()))[:80]}.")
    if "\\" in path:
        path = PureWindowsPath(path).as_posix()
    extra = {k: v for k, v in row.items() if k not in KNOWN and not k.startswith((*KINDS, UNNAMED))}
    return Utterance(
        utterance=text(row.get("utterance")) or default_name(path, number(row.get("start_s"))),
        path=path,
        votes=counts(row, "votes/") if has_votes else one_vote(text(row.get("emotion"))),
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

"""Corpora in audformat [1]: a folder with ``db.yaml`` and tables; read with, and written by, the audformat package.

Written: table ``emotion`` (segmented: file, start, end) with the columns ``emotion`` (plurality of the votes, empty at a tie),
``speaker``, ``split``, ``transcription``, ``votes/…``, ``mentions/…``, valence, arousal, dominance and the rest of ours.
Read: those, or any table with a column of one label per file or segment.

References
----------
[1] audformat: a data format for audio annotations, https://audeering.github.io/audformat
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from tamis.emotion.corpora.csv_table import corpus_from_table
from tamis.emotion.corpora.table import Corpus

TABLE, LABEL = "emotion", "emotion"
OURS = {"transcription": "text", "transcript": "text", LABEL: "emotion"}


def read_audformat(folder: str | Path, table: str = TABLE, column: str = LABEL) -> Corpus:
    """Read one table of an audformat database.

    Parameters
    ----------
    folder : path
        Holds ``db.yaml``.
    table, column : str
        Where the labels are. A scheme's label dictionary is followed; ``speaker`` may come from a misc table.

    Raises
    ------
    ValueError   for a table or column that the database does not have; the message lists those it has.
    """
    audformat, folder = require_audformat(), Path(folder)
    if not (folder / "db.yaml").is_file():
        raise FileNotFoundError(f"audformat: there is no db.yaml in {folder}.")
    database = audformat.Database.load(str(folder))
    if table not in database.tables:
        raise ValueError(
            f"audformat {database.name!r}: no table {table!r}; it has {', '.join(database.tables)}."
        )
    frame = database[table].get()
    votes = any(str(c).startswith("votes/") for c in frame)
    if column not in frame and not votes:
        raise ValueError(
            f"audformat {database.name!r}: table {table!r} has no column {column!r}, only {', '.join(frame)}."
        )
    frame = frame.rename(columns={column: "emotion"}).rename(columns=OURS)
    return corpus_from_table(as_rows(audformat.utils.to_segmented_index(frame)), database.name, folder)


def as_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Index to columns path, start_s, end_s; times that span a whole file become empty."""
    index = frame.index
    start = index.get_level_values("start").total_seconds().to_numpy()
    end = index.get_level_values("end").total_seconds().to_numpy()
    whole = (start == 0) & np.isnan(end)
    rows = frame.reset_index(drop=True).astype(object)
    rows.insert(0, "path", [str(file) for file in index.get_level_values("file")])
    rows["start_s"], rows["end_s"] = np.where(whole, np.nan, start), end
    return rows.where(rows.notna(), None)


def write_audformat(corpus: Corpus, folder: str | Path) -> None:
    """Write a corpus as an audformat database; audio stays where it is, under absolute paths."""
    audformat = require_audformat()
    database = audformat.Database(
        name=corpus.name,
        source=str(corpus.folder),
        usage=audformat.define.Usage.RESEARCH,
        description=f"Written by tamis from {corpus.name}. " + " ".join(corpus.notes),
    )
    if corpus.licence:
        database.license = corpus.licence
    database.schemes[LABEL] = audformat.Scheme(labels=list(corpus.categories))
    table = database[TABLE] = audformat.Table(segments(audformat, corpus))
    values = {LABEL: plurality(corpus), **shared_columns(corpus.table)}
    for name, column in values.items():
        table[name] = audformat.Column(scheme_id=LABEL if name == LABEL else None)
        table[name].set(column)
    database.save(str(folder), storage_format="csv")


def segments(audformat: ModuleType, corpus: Corpus) -> Any:
    files = [corpus.audio_path(row).resolve().as_posix() for row in range(len(corpus))]
    starts = pd.to_timedelta(corpus.table["start_s"].fillna(0.0), unit="s")
    ends = pd.to_timedelta(corpus.table["end_s"], unit="s")
    if (twice := pd.DataFrame({"file": files, "start": starts, "end": ends}).duplicated()).any():
        raise ValueError(
            f"write_audformat({corpus.name!r}): {int(twice.sum())} utterances share file and segment with another, such "
            f"as {corpus.table['utterance'][twice].iloc[0]!r}; audformat identifies rows by these alone."
        )
    return audformat.segmented_index(files, list(starts), list(ends))


def plurality(corpus: Corpus) -> list[str | None]:
    """The category with most votes, None where there is no single one."""
    votes = corpus.table[[f"votes/{c}" for c in corpus.categories]].to_numpy()
    best = votes.max(axis=1, keepdims=True)
    single = ((votes == best).sum(axis=1) == 1) & (best[:, 0] > 0)
    return [corpus.categories[i] if ok else None for i, ok in zip(votes.argmax(axis=1), single, strict=True)]


def shared_columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    skipped = ("path", "start_s", "end_s")
    names = {"text": "transcription"}
    return {names.get(c, c): [empty_as_none(v) for v in table[c]] for c in table if c not in skipped}


def empty_as_none(value: Any) -> Any:
    return None if value == "" or (isinstance(value, float) and np.isnan(value)) else value


def require_audformat() -> ModuleType:
    try:
        import audformat
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "reading and writing audformat needs the package audformat: pip install audformat.",
            name="audformat",
        ) from missing
    module: ModuleType = audformat
    return module

"""EMO-SUPERB: one CSV per fold with a share per emotion, and a ``config.json`` that names the emotions.

``labels_consensus_1.csv``: ``FileName``, one column per entry of ``categorical.emo_type``, mostly ``EmoAct``, ``EmoDom``,
``EmoVal``, and ``SpkrID``, ``Gender``, ``Split_Set``. Shares are kept as fractions of one vote.

References
----------
[1] Wu et al. EMO-SUPERB: An In-depth Look at Speech Emotion Recognition. arXiv:2402.13018, 2024.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from tamis.emotion.corpora.delimited import read_delimited
from tamis.emotion.corpora.labels import category_of
from tamis.emotion.corpora.readers.files import by_stem, corpus_folder, find_one
from tamis.emotion.corpora.table import Corpus, Rating, Utterance, build_corpus, rescale

CORPUS = "emo-superb"


def read_emo_superb(folder: str | Path, fold: int = 1, audio: str | Path | None = None) -> Corpus:
    """Read one fold of one corpus of EMO-SUPERB.

    Parameters
    ----------
    folder : path
        Holds ``config.json`` and ``labels_consensus_<fold>.csv``, such as ``data/CREMA-D/Primary``.
    fold : int
    audio : path, optional
        Where the sound is; by default the folder above, which has it in ``Audios/``.
    """
    folder = corpus_folder(folder, CORPUS)
    config = read_config(find_one(folder, CORPUS, "config.json"))
    table, notes = read_delimited(
        find_one(folder, CORPUS, f"labels_consensus_{fold}.csv"),
        CORPUS,
        text_columns=("FileName", "SpkrID", "Gender", "Split_Set"),
    )
    words = config["categorical"]["emo_type"]
    if missing := [name for name in ("FileName", *words) if name not in table]:
        raise ValueError(f"corpus {CORPUS!r}: fold {fold} lacks the column(s) {', '.join(missing)}.")
    root = Path(audio) if audio is not None else folder.parent
    categories = tuple(dict.fromkeys(category_of(word) for word in words))
    files, left_out = by_stem(root, CORPUS)
    return build_corpus(
        CORPUS, categories, rows(table, words, config, files), root, notes=[*notes, *left_out]
    )


def read_config(path: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(path.read_text())
        config["categorical"]["emo_type"], config["data_split_type"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"corpus {CORPUS!r}: {path.name} is not as expected ({error!r}); it names categorical.emo_type and "
            "data_split_type."
        ) from error
    return config


def rows(
    table: pd.DataFrame, words: list[str], config: dict[str, Any], audio: dict[str, str]
) -> Iterator[Utterance]:
    splits = {theirs: ours for ours, theirs in config["data_split_type"].items()}
    scale = config.get("dimensional", {})
    for row in table.to_dict("records"):
        stem = Path(row["FileName"]).stem
        votes: dict[str, float] = {}
        for word in words:
            votes[category_of(word)] = votes.get(category_of(word), 0.0) + float(row[word])
        split = splits.get(row.get("Split_Set"), "")
        rating = attributes(row, float(scale.get("min_score", 1)), float(scale.get("max_score", 7)))
        yield Utterance(
            utterance=stem,
            path=audio.get(stem, f"Audios/{row['FileName']}"),
            votes=votes,
            speaker=text(row.get("SpkrID")),
            split=split,
            ratings=[] if all(math.isnan(value) for value in rating) else [rating],
            slices={"gender": text(row.get("Gender")).lower()},
        )


def attributes(row: dict[str, Any], low: float, high: float) -> Rating:
    values = (float(row.get(name, math.nan)) for name in ("EmoVal", "EmoAct", "EmoDom"))
    valence, arousal, dominance = (rescale(value, low, high) for value in values)
    return valence, arousal, dominance


def text(cell: Any) -> str:
    return cell if isinstance(cell, str) and cell.lower() != "unknown" else ""

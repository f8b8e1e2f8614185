"""EmoBox: JSON lines for 32 corpora, hard labels, folds; ``label_map.json`` translates their labels.

``<name>.jsonl``: ``{"key": …, "wav": …, "emo": …, "length": …}`` per line, and ``start_time``, ``end_time`` where a clip is a
part of a file; ``fold_1/<name>_train_fold_1.jsonl``, ``…_valid_…`` and ``…_test_…`` give the split.

References
----------
[1] Ma et al. EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and Benchmark. Interspeech 2024.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tamis.emotion.corpora.categories import OTHER
from tamis.emotion.corpora.labels import category_of
from tamis.emotion.corpora.readers.files import corpus_folder, find_one
from tamis.emotion.corpora.table import Corpus, Utterance, build_corpus

CORPUS = "emobox"
SPLITS = ("train", "valid", "test")


def read_emobox(folder: str | Path, fold: int = 1, audio: str | Path | None = None) -> Corpus:
    """Read one fold of one EmoBox corpus.

    Parameters
    ----------
    folder : path
        Such as ``data/emodb``: ``label_map.json`` and ``fold_1`` … inside. Without folds the whole corpus is read.
    fold : int
    audio : path, optional
        Where the ``wav`` paths start; by default ``folder``.
    """
    folder = corpus_folder(folder, CORPUS)
    labels = json.loads(find_one(folder, CORPUS, "label_map.json").read_text())
    entries = list(fold_entries(folder, fold))
    categories = tuple(
        dict.fromkeys(c for c in (category_of(word) for word in labels.values()) if c != OTHER)
    )
    rows = [row(entry, split, labels) for split, entry in entries]
    return build_corpus(CORPUS, categories, rows, folder if audio is None else audio)


def fold_entries(folder: Path, fold: int) -> Iterator[tuple[str, dict[str, Any]]]:
    name = folder.name
    found = False
    for split in SPLITS:
        path = folder / f"fold_{fold}" / f"{name}_{split}_fold_{fold}.jsonl"
        if path.is_file():
            found = True
            yield from ((split, entry) for entry in read_lines(path))
    if not found:
        if (folder / "fold_1").is_dir():
            raise FileNotFoundError(f"corpus {CORPUS!r}: {folder} has folds, but none with number {fold}.")
        yield from (("", entry) for entry in read_lines(find_one(folder, CORPUS, f"{name}.jsonl")))


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(
                    f"corpus {CORPUS!r}: {path.name}, line {number} is not JSON: {error}."
                ) from error


def row(entry: dict[str, Any], split: str, labels: dict[str, str]) -> Utterance:
    if entry["emo"] not in labels:
        raise ValueError(
            f"corpus {CORPUS!r}: {entry['key']} has the label {entry['emo']!r}; label_map.json knows "
            f"{', '.join(labels)}."
        )
    return Utterance(
        utterance=entry["key"],
        path=entry["wav"],
        votes={category_of(labels[entry["emo"]]): 1},
        start_s=float(entry.get("start_time", math.nan)),
        end_s=float(entry.get("end_time", math.nan)),
        speaker=str(entry.get("spk", entry.get("speaker", ""))),
        split=split,
        text=str(entry.get("text", "")),
    )

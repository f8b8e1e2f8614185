"""Transcripts for the utterances of a corpus that have none, written down as they come."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tamis.emotion.corpora import Corpus
from tamis.emotion.signal import AudioError, read_audio
from tamis.emotion.streams.extraction import audio_identity
from tamis.emotion.streams.transcribe import Transcriber


def fill_transcripts(
    corpus: Corpus,
    path: str | Path,
    transcriber: Transcriber,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """The corpus with text in every row whose audio can be read; rows that have text keep it.

    Parameters
    ----------
    corpus : Corpus
    path : path
        JSON lines, one per recording, named by content: read first, and appended to, so that the work goes on after an
        interruption and is shared by corpora with the same recordings.
    transcriber : Transcriber
    progress : callable, optional
        Told utterances done and in all.
    """
    path, table = Path(path), corpus.table.copy()
    known = read_known(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    wanting = np.flatnonzero(table["text"] == "")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n")  # ends a line that an interruption cut short
        for done, row in enumerate(wanting.tolist(), start=1):
            start_s, end_s = (float(table[c].iloc[row]) for c in ("start_s", "end_s"))
            try:
                key, _ = audio_identity(corpus.audio_path(row), start_s, end_s)
                if key not in known:
                    end = None if np.isnan(end_s) else end_s
                    samples = read_audio(corpus.audio_path(row), float(np.nan_to_num(start_s)), end)
                    known[key] = transcriber.transcribe(samples)
                    file.write(json.dumps({"audio": key, "text": known[key]}, ensure_ascii=False) + "\n")
                    file.flush()
            except (OSError, AudioError):
                continue  # extraction lists it, with the reason
            table.iloc[row, table.columns.get_loc("text")] = known[key]
            if progress:
                progress(done, len(wanting))
    return replace(corpus, table=table)


def read_known(path: Path) -> dict[str, str]:
    """What earlier runs wrote; a last line that was cut short is done again."""
    known: dict[str, str] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
                known[entry["audio"]] = entry["text"]
            except (json.JSONDecodeError, KeyError, TypeError):
                continue
    return known

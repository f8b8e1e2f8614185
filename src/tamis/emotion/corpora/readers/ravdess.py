"""RAVDESS: 24 actors, two sentences, eight acted emotions; everything is in the file name.

``03-01-06-01-02-01-12.wav`` = modality, channel, emotion, intensity, statement, repetition, actor. An acted corpus has
no raters: each utterance carries one vote, for the emotion that the actor was asked to show.

References
----------
[1] Livingstone, Russo. The Ryerson Audio-Visual Database of Emotional Speech and Song. PLoS ONE 13(5), 2018.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tamis.emotion.corpora.readers.files import audio_files, corpus_folder
from tamis.emotion.corpora.table import Corpus, Utterance, build_corpus

CATEGORIES = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
STATEMENTS = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
INTENSITIES = {"01": "normal", "02": "strong"}
NAME = re.compile(r"(\d\d)-(\d\d)-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")
SPEECH = "01"
LICENCE = "CC BY-NC-SA 4.0"


def read_ravdess(folder: str | Path) -> Corpus:
    """Read RAVDESS speech (songs and soundless films are left out) from any tree of its files.

    Parameters
    ----------
    folder : path
        Holds ``Actor_01`` … or the files themselves, as WAV or FLAC.
    """
    folder = corpus_folder(folder, "ravdess")
    files, notes = audio_files(folder, "ravdess")
    named = [(path, match) for path in files if (match := NAME.fullmatch(path.stem))]
    speech = [(path, match) for path, match in named if match[2] == SPEECH and match[1] != "02"]
    notes += [
        f"{count} {what}"
        for count, what in (
            (len(files) - len(named), "files without a RAVDESS name left out"),
            (len(named) - len(speech), "songs or soundless films left out"),
        )
        if count
    ]
    return build_corpus("ravdess", CATEGORIES, rows(folder, speech), folder, LICENCE, notes)


def rows(folder: Path, files: list[tuple[Path, re.Match[str]]]) -> Iterator[Utterance]:
    for path, match in files:
        _, _, emotion, intensity, statement, repetition, actor = match.groups()
        yield Utterance(
            utterance=path.stem,
            path=path.relative_to(folder).as_posix(),
            votes={CATEGORIES[int(emotion) - 1]: 1},
            speaker=f"actor_{actor}",
            text=STATEMENTS[statement],
            slices={
                "gender": "male" if int(actor) % 2 else "female",
                "intensity": INTENSITIES[intensity],
                "statement": statement,
                "repetition": repetition,
            },
        )

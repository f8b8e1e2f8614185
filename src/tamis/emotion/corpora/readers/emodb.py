"""EmoDB: ten German actors, ten sentences, seven acted emotions; everything is in the file name.

``03a01Fa.wav`` = speaker, sentence, emotion, take.

References
----------
[1] Burkhardt et al. A database of German emotional speech. Interspeech 2005.
"""

from __future__ import annotations

import re
from pathlib import Path

from tamis.emotion.corpora.readers.files import audio_files, corpus_folder
from tamis.emotion.corpora.table import Corpus, Utterance, build_corpus

CORPUS = "emodb"
LETTERS = {
    "W": "angry",
    "L": "bored",
    "E": "disgust",
    "A": "fear",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
MALE = ("03", "10", "11", "12", "15")
NAME = re.compile(r"(\d\d)([ab]\d\d)([WLEAFTN])([a-z])")
SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}


def read_emodb(folder: str | Path) -> Corpus:
    """Read EmoDB from any tree of its files; each carries one vote, for the emotion its actor was asked to show."""
    folder = corpus_folder(folder, CORPUS)
    files, notes = audio_files(folder, CORPUS)
    named = [(path, match) for path in files if (match := NAME.fullmatch(path.stem))]
    if len(named) < len(files):
        notes.append(f"{len(files) - len(named)} files without an EmoDB name left out")
    rows = [
        Utterance(
            utterance=path.stem,
            path=path.relative_to(folder).as_posix(),
            votes={LETTERS[match[3]]: 1},
            speaker=match[1],
            text=SENTENCES.get(match[2], ""),
            slices={"gender": "male" if match[1] in MALE else "female", "sentence": match[2]},
        )
        for path, match in named
    ]
    return build_corpus(CORPUS, tuple(LETTERS.values()), rows, folder, "", notes)

"""Which corpus a folder holds, by the files that only it has."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tamis.emotion.corpora.readers import crema_d, emodb, ravdess
from tamis.emotion.corpora.readers.files import AUDIO_SUFFIXES
from tamis.storage import files_below

MARKS: Final = (
    ("audformat", "db.yaml"),
    ("emobox", "label_map.json"),
    ("meld", "train_sent_emo.csv"),
    ("crema-d", "tabulatedvotes.csv"),
    ("emo-superb", "labels_consensus_1.csv"),
    ("msp-podcast", "labels_consensus.csv"),
    ("msp-podcast", "labels_concensus.csv"),
)
"""Format and the file that gives it away, in lower case."""
NAMES: Final = (("ravdess", ravdess.NAME), ("emodb", emodb.NAME), ("crema-d", crema_d.NAME))
"""Format and the pattern of its recordings' names."""


def recognise(where: str | Path) -> str:
    """The format (a key of :data:`~tamis.emotion.corpora.READERS`) of a corpus folder, or ``"csv"`` for a file.

    Raises
    ------
    FileNotFoundError   if there is nothing at ``where``.
    ValueError          if it is none of the formats, or of two.
    """
    where = Path(where)
    if where.is_file():
        return "csv"
    if not where.is_dir():
        raise FileNotFoundError(f"corpus: there is no file or folder {where}.")
    files = files_below(where)
    names = {path.name.lower() for path in files}
    found = {form for form, mark in MARKS if mark in names}
    if any(path.parent.name == "EmoEvaluation" for path in files):
        found.add("iemocap")
    if not found:
        stems = [path.stem for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
        found = {form for form, name in NAMES if any(name.fullmatch(stem) for stem in stems)}
    if len(found) != 1:
        raise ValueError(
            f"corpus: {where} looks like {' and '.join(sorted(found)) or 'no format that is known'}; name its format, as in "
            "`ravdess FOLDER`, or a CSV file with path and emotion."
        )
    return found.pop()

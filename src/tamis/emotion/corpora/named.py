"""Corpora by name, for the command line and configs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tamis.emotion.corpora.audformat_table import read_audformat
from tamis.emotion.corpora.csv_table import read_csv
from tamis.emotion.corpora.readers.crema_d import read_crema_d
from tamis.emotion.corpora.readers.emo_superb import read_emo_superb
from tamis.emotion.corpora.readers.emobox import read_emobox
from tamis.emotion.corpora.readers.emodb import read_emodb
from tamis.emotion.corpora.readers.iemocap import read_iemocap
from tamis.emotion.corpora.readers.meld import read_meld
from tamis.emotion.corpora.readers.msp_podcast import read_msp_podcast
from tamis.emotion.corpora.readers.ravdess import read_ravdess
from tamis.emotion.corpora.table import Corpus

READERS: Final[Mapping[str, Callable[..., Corpus]]] = {
    "msp-podcast": read_msp_podcast,
    "iemocap": read_iemocap,
    "crema-d": read_crema_d,
    "ravdess": read_ravdess,
    "emodb": read_emodb,
    "meld": read_meld,
    "emo-superb": read_emo_superb,
    "emobox": read_emobox,
    "audformat": read_audformat,
    "csv": read_csv,
}


def read_corpus(name: str, where: str | Path, **options: Any) -> Corpus:
    """Read a corpus by the name of its format.

    Parameters
    ----------
    name : str
        A key of :data:`READERS`.
    where : path
        The corpus folder, or the file for ``"csv"``.
    **options
        Further arguments of that reader, such as ``fold=2`` or ``judged_by="both"``.
    """
    if name not in READERS:
        raise ValueError(f"read_corpus({name!r}): no such format; known are {', '.join(READERS)}.")
    return READERS[name](where, **options)

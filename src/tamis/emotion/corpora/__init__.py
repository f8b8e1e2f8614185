"""Corpora: one table of raw votes and ratings per corpus.

``categories``   the words of speech emotion, and their order
``table``        what a corpus is
``named``        a reader by name; ``readers/`` has one per corpus; ``recognise``: which one a folder needs
``csv_table``, ``audformat_table``   tables that are read and written
``regrouping``   other categories for the same votes
``splits``       one name for each split
``checks``       leaks, duplicates, damage; ``doubts``: what looks like a slip
"""

from tamis.emotion.corpora.audformat_table import read_audformat, write_audformat
from tamis.emotion.corpora.categories import ATTRIBUTE_RANGE, ATTRIBUTES, CATEGORIES, OTHER
from tamis.emotion.corpora.checks import Findings, check_corpus
from tamis.emotion.corpora.csv_table import read_csv, write_csv
from tamis.emotion.corpora.named import READERS, read_corpus
from tamis.emotion.corpora.recognise import recognise
from tamis.emotion.corpora.regrouping import regroup
from tamis.emotion.corpora.splits import split_name
from tamis.emotion.corpora.table import Corpus, Utterance, build_corpus

__all__ = [
    "ATTRIBUTES",
    "ATTRIBUTE_RANGE",
    "CATEGORIES",
    "OTHER",
    "READERS",
    "Corpus",
    "Findings",
    "Utterance",
    "build_corpus",
    "check_corpus",
    "read_audformat",
    "read_corpus",
    "read_csv",
    "recognise",
    "regroup",
    "split_name",
    "write_audformat",
    "write_csv",
]

"""Corpora: one table of raw votes and ratings per corpus.

``categories``   the words of speech emotion, and their order
``table``        what a corpus is
``named``        a reader by name; ``readers/`` has one per corpus
``csv_table``, ``audformat_table``   tables that are read and written
``regrouping``   other categories for the same votes
``checks``       leaks, duplicates, damage
"""

from tamis.emotion.corpora.audformat_table import read_audformat, write_audformat
from tamis.emotion.corpora.categories import ATTRIBUTE_RANGE, ATTRIBUTES, CATEGORIES, OTHER
from tamis.emotion.corpora.checks import Findings, check_corpus
from tamis.emotion.corpora.csv_table import read_csv, write_csv
from tamis.emotion.corpora.named import READERS, read_corpus
from tamis.emotion.corpora.regrouping import regroup
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
    "regroup",
    "write_audformat",
    "write_csv",
]

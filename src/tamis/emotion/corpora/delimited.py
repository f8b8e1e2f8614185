"""Tables as people's programs write them: the usual encodings and separators, detected, and told in a note.

Excel saves "Unicode text" as UTF-16 with tabs, "CSV" in the code page of the country with its list separator, and with
semicolons decimal commas. A byte order mark decides; then UTF-8 if the bytes are that; else charset-normalizer chooses
among the code pages that are common in such files.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from charset_normalizer import from_bytes

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CODE_PAGES = ["cp1252", "cp1251"]
"""Told apart by charset-normalizer; with all of its encodings to choose from it takes most French and German for cp1250."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
UNREADABLE = "\ufffd"
NUL = b"\0"
UNNAMED = "Unnamed: "
"""Begins the name of a column without one: row numbers, or what a trailing separator leaves."""
NOT_GIVEN = ["", "NA", "N/A", "n/a", "nan", "NaN", "NULL", "null", "None", "-"]
"""In columns that are no text; in those "NA" is somebody's name."""
ZIP = b"PK\x03\x04"
SEPARATOR_LINE = "sep="


def read_delimited(
    path: Path,
    corpus: str,
    *,
    text_columns: Sequence[str] | None = None,
    known: Sequence[str] = (),
    encoding: str | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """Read a table of unknown encoding and separator.

    Parameters
    ----------
    path : Path
    corpus : str
        Named in errors.
    text_columns : sequence of str, optional
        Columns that stay text as it stands ("NA" is a name there); None: all of them.
    known : sequence of str
        Column names that are meant even with other case, or with spaces around.
    encoding : str, optional
        Instead of the detected one.

    Returns
    -------
    table : DataFrame
        Without rows that are wholly empty.
    notes : list of str
        What was detected, where it is not UTF-8 with commas.

    Raises
    ------
    ValueError   if this is no such table, or its rows do not fit the header.
    """
    raw = path.read_bytes()
    if raw.startswith(ZIP):
        raise ValueError(
            f"corpus {corpus!r}: {path.name} is an Excel workbook or a ZIP file; save it as CSV."
        )
    found = encoding or encoding_of(raw)
    try:
        content = raw.decode(found, "strict" if encoding else "replace")
    except (UnicodeDecodeError, LookupError) as error:
        raise ValueError(f"corpus {corpus!r}: {path.name} is not text in {found} ({error}).") from error
    separator, content = separator_of(content)
    where = f"corpus {corpus!r}: {path.name}"
    header = next(csv.reader(io.StringIO(content), delimiter=separator), [])
    names = column_names(header, known, where)
    table = parse(content, separator, names, names if text_columns is None else text_columns, where)
    notes = []
    if found not in ("utf-8", "utf-8-sig") or separator != ",":
        notes.append(f"{path.name} was read as {found}, separated by {SEPARATORS[separator]}")
    if not encoding and (unread := content.count(UNREADABLE)):
        notes.append(f"{path.name}: {unread} characters could not be read as {found}")
    return table, notes


def encoding_of(raw: bytes) -> str:
    for mark, name in BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return name
    if NUL in raw[:2]:  # no text begins so, but UTF-16 without its mark does
        return "utf-16-le" if raw[1:2] == NUL else "utf-16-be"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        if mostly_utf8(raw):
            return "utf-8"
        guess = from_bytes(raw, cp_isolation=CODE_PAGES).best()
        return CODE_PAGES[0] if guess is None else guess.encoding
    return "utf-8"


def mostly_utf8(raw: bytes) -> bool:
    """UTF-8 with a few stray bytes, rather than another encoding."""
    content = raw.decode("utf-8", "replace")
    beyond_ascii, unread = sum(c > "\x7f" for c in content), content.count(UNREADABLE)
    return beyond_ascii - unread > 5 * unread


def separator_of(content: str) -> tuple[str, str]:
    """The separator by which the header has most columns, and the content without Excel's line ``sep=;``."""
    content = content.lstrip("\ufeff\r\n ")
    first, _, rest = content.partition("\n")
    if first.lower().startswith(SEPARATOR_LINE) and (named := first[len(SEPARATOR_LINE) :][:1]) in SEPARATORS:
        return named, rest
    return max(SEPARATORS, key=lambda s: len(next(csv.reader([first], delimiter=s), []))), content


def column_names(header: Sequence[str], known: Sequence[str], where: str) -> list[str]:
    """Names as in ``known``, whatever their case, and :data:`UNNAMED` ones; two that become one are an error."""
    stripped = [name.strip() or f"{UNNAMED}{i}" for i, name in enumerate(header)]
    names = [name.lower() if name.lower() in known else name for name in stripped]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{where} has the column {twice[0]!r} twice, with other case or spaces.")
    return names


def parse(
    content: str, separator: str, names: Sequence[str], text_columns: Sequence[str], where: str
) -> pd.DataFrame:
    """The table below its header; cells beyond the header must be empty (pandas would shift all columns)."""
    spaced = separator != "\t"
    rows = csv.reader(io.StringIO(content), delimiter=separator, skipinitialspace=spaced)
    beyond = [f"{UNNAMED}{i}" for i in range(len(names), max(map(len, rows), default=0))]
    try:
        table = pd.read_csv(
            io.StringIO(content),
            sep=separator,
            header=None,
            skiprows=1,
            names=[*names, *beyond],
            index_col=False,
            skipinitialspace=spaced,
            decimal="." if separator == "," else ",",
            dtype={name: str for name in names if name in text_columns},
            keep_default_na=False,
            na_values={name: NOT_GIVEN for name in (*names, *beyond) if name not in text_columns},
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{where} is not a CSV file ({str(error).splitlines()[0]}).") from error
    if (wide := table[beyond].notna().any(axis=1)).any():
        first = ", ".join(map(str, table[wide].iloc[0]))[:80]
        raise ValueError(
            f"{where}: {wide.sum()} rows do not fit its header, such as {first}; quote cells with {separator!r}."
        )
    table = table.drop(columns=beyond)
    filled = table.notna() & (table != "")
    return table[filled.any(axis=1)].reset_index(drop=True)

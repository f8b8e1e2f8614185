"""What a page is made of: records of words and numbers, which the template escapes and lays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from tamis.report.table import Table


@dataclass(frozen=True)
class Title:
    """The main sentence of a page, and a small line over it."""

    part: ClassVar[str] = "title"
    words: str
    over: str = ""


@dataclass(frozen=True)
class Heading:
    """The title of a part of the page."""

    part: ClassVar[str] = "heading"
    words: str


@dataclass(frozen=True)
class Paragraph:
    """Plain words: as they are, small and grey ("soft"), large ("lede"), marked ("warning"), or as code."""

    part: ClassVar[str] = "paragraph"
    words: str
    kind: Literal["", "soft", "lede", "warning", "quote", "code"] = ""


@dataclass(frozen=True)
class Numbers:
    """Big figures, each with a line of words below: (figure, words)."""

    part: ClassVar[str] = "numbers"
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Key:
    """The key of a figure: (mark, words); a mark is a series "a" to "e", "plain", "hollow", "dash", "bar" or "bar pale"."""

    part: ClassVar[str] = "key"
    entries: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Figure:
    """A picture that stands in the page itself, and its explanation.

    Attributes
    ----------
    svg : str
        From :func:`tamis.report.svg`; the one part of a page that is not escaped.
    caption : str
    """

    part: ClassVar[str] = "figure"
    svg: str
    caption: str = ""


@dataclass(frozen=True)
class Image:
    """A picture in a file beside the page, which leads to another page beside it."""

    part: ClassVar[str] = "image"
    file: str
    words: str
    target: str


@dataclass(frozen=True)
class Facts:
    """Names and values in a box; the values of the names in ``code`` are shown in code type."""

    part: ClassVar[str] = "facts"
    pairs: Mapping[str, str]
    code: Sequence[str] = ("Command",)


@dataclass(frozen=True)
class Folded:
    """Parts that a click opens and shuts."""

    part: ClassVar[str] = "folded"
    summary: str
    aside: str
    parts: Sequence[Part]
    state: Literal["open", "shut"] = "shut"


Part = Title | Heading | Paragraph | Numbers | Key | Figure | Image | Facts | Folded | Table

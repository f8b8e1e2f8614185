"""What people read: one page, one table, one figure style, and numbers as text.

A page is a list of parts (plain records) that one template renders; the same :class:`Table` prints as text and renders as HTML.
matplotlib and jinja2 are imported by the functions that need them.
"""

from tamis.report.figures import figure, mark, name_axes, save_figure, style, svg
from tamis.report.numbers import duration, mib, percent, ratio, times
from tamis.report.page import application, page, write_page
from tamis.report.palette import COLOURS, INK, LINE, PAPER, PLAIN, SAFE, SOFT
from tamis.report.parts import (
    Facts,
    Figure,
    Folded,
    Heading,
    Image,
    Key,
    Numbers,
    Paragraph,
    Part,
    Title,
)
from tamis.report.table import Cell, Column, Line, Table, words

__all__ = [
    "COLOURS",
    "INK",
    "LINE",
    "PAPER",
    "PLAIN",
    "SAFE",
    "SOFT",
    "Cell",
    "Column",
    "Facts",
    "Figure",
    "Folded",
    "Heading",
    "Image",
    "Key",
    "Line",
    "Numbers",
    "Paragraph",
    "Part",
    "Table",
    "Title",
    "application",
    "duration",
    "figure",
    "mark",
    "mib",
    "name_axes",
    "page",
    "percent",
    "ratio",
    "save_figure",
    "style",
    "svg",
    "times",
    "words",
    "write_page",
]

"""Pieces of the page: tables, keys, figures, facts. All content is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from urllib.parse import quote


@dataclass(frozen=True)
class Cell:
    """A table cell: what it says, and the number to sort it by."""

    text: str
    value: float | None = None
    wrap: bool = False


Row = tuple[str, Sequence[str | Cell]]  # CSS class, cells


def page(title: str, body: Iterable[str]) -> str:
    """Return a complete document that needs no other file and no network."""
    style, script = ((files("tamis.tour") / name).read_text("utf-8") for name in ("report.css", "report.js"))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + f"\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


def table(header: Sequence[tuple[str, str]], rows: Iterable[Row], text: Sequence[int] = (0,)) -> str:
    """A table that sorts; ``header`` holds (name, unit), ``text`` the columns to align left."""
    head = "".join(
        f"<th{_left(i in text)}>{escape(name)}{f'<small>{escape(unit)}</small>' if unit else ''}</th>"
        for i, (name, unit) in enumerate(header)
    )
    lines = []
    for kind, cells in rows:
        made = "".join(_cell(cell, i in text) for i, cell in enumerate(cells))
        lines.append(f'<tr class="{kind}">{made}</tr>' if kind else f"<tr>{made}</tr>")
    body = "\n".join(lines)
    return f'<div class="scroll"><table class="sorts"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def numbers(pairs: Iterable[tuple[str, str]]) -> str:
    """Big figures with a line below each."""
    cells = (f"<div><b>{escape(figure)}</b><span>{escape(words)}</span></div>" for figure, words in pairs)
    return f'<div class="numbers">{"".join(cells)}</div>'


def key(entries: Iterable[tuple[str, str]]) -> str:
    """The key of a figure: (CSS classes of the mark, words)."""
    items = (f'<li><i class="{kind}"></i>{escape(words)}</li>' for kind, words in entries)
    return f'<ul class="key">{"".join(items)}</ul>'


def figure(svg: str, caption: str) -> str:
    """A picture (SVG made by this room) and its explanation."""
    return f'<figure><div class="scroll">{svg}</div><figcaption>{escape(caption)}</figcaption></figure>'


def picture(file: str, words: str, target: str) -> str:
    """A picture in a file beside the page, which leads to another page beside it."""
    source, there = quote(file), quote(target)
    return f'<figure><a href="{there}"><img src="{source}" alt="{escape(words)}"></a></figure>'


def facts(pairs: Mapping[str, str]) -> str:
    """Names and values in a box; the command in code type."""
    items = []
    for name, value in pairs.items():
        shown = f"<code>{escape(value)}</code>" if name == "Command" else escape(value)
        items.append(f"<dt>{escape(name)}</dt><dd>{shown}</dd>")
    return f"<dl>{''.join(items)}</dl>"


def paragraph(words: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(words)}</p>' if kind else f"<p>{escape(words)}</p>"


def heading(words: str) -> str:
    return f"<h2>{escape(words)}</h2>"


def folded(summary: str, aside: str, content: str, opened: bool) -> str:
    """A part that opens by a click."""
    state = " open" if opened else ""
    return f"<details{state}><summary>{escape(summary)}<span>{escape(aside)}</span></summary>\n{content}</details>"


def _cell(cell: str | Cell, left: bool) -> str:
    if isinstance(cell, str):
        return f"<td{_left(left)}>{escape(cell)}</td>"
    kind = _left(left) if not cell.wrap else ' class="text wrap"'
    value = "" if cell.value is None else f' data-v="{cell.value:.6g}"'
    return f"<td{kind}{value}>{escape(cell.text)}</td>"


def _left(left: bool) -> str:
    return ' class="text"' if left else ""

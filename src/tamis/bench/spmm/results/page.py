"""HTML for results: one self-contained page with its style inline, tables, and nothing to load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
:root { color-scheme: light; --ink: #1c1f22; --soft: #62686e; --line: #dfe3e6; --good: #0b6e4f; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; color: var(--ink); background: #fff;
  max-width: 66rem; margin: 0 auto; padding: 2.5rem 1.5rem 5rem; }
h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -0.01em; margin: 0 0 .6rem; }
h2 { font-size: 1.15rem; margin: 2.8rem 0 .4rem; }
p { max-width: 46rem; margin: .4rem 0 .9rem; }
.lede { font-size: 1.15rem; max-width: 50rem; }
.soft, figcaption, caption { color: var(--soft); font-size: .86rem; }
figure { margin: 1rem 0; }
figure svg { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; margin: .6rem 0 1rem; }
caption { text-align: left; padding-bottom: .4rem; }
th { font-weight: 600; text-align: right; color: var(--soft); border-bottom: 1.5px solid var(--ink); }
th, td { padding: .24rem .55rem; white-space: nowrap; }
td { text-align: right; border-bottom: 1px solid var(--line); }
th.text, td.text { text-align: left; }
td.wrap { white-space: normal; text-align: left; max-width: 32rem; }
tr:hover td { background: #f5f8f7; }
code { font: .86em ui-monospace, "DejaVu Sans Mono", monospace; background: #f2f4f5; padding: .1em .35em; border-radius: 3px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; font-size: .9rem; margin: .6rem 0; }
dt { color: var(--soft); } dd { margin: 0; }
"""


def page(title: str, body: Iterable[str]) -> str:
    """A complete document that needs no other file."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def table(
    header: Sequence[str],
    lines: Iterable[Sequence[str | Shaded]],
    *,
    text_columns: int = 1,
    caption: str = "",
) -> str:
    """A table whose first ``text_columns`` columns are words and the rest numbers; content is escaped."""
    head = "".join(f"<th{_left(i, text_columns)}>{escape(name)}</th>" for i, name in enumerate(header))
    body = "\n".join(
        "<tr>" + "".join(_cell(cell, _left(i, text_columns)) for i, cell in enumerate(line)) + "</tr>"
        for line in lines
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


@dataclass(frozen=True)
class Shaded:
    """A table cell with a background colour."""

    text: str
    colour: str


def ratio(value: float | None) -> str | Shaded:
    """A speed relative to dense, such as "2.40×", green above 1 and red below; an en dash for None."""
    return "–" if value is None else Shaded(times(value), _ratio_colour(value))


def times(value: float) -> str:
    """A factor with two or three significant digits."""
    return f"{value:.2f}×" if value < 9.995 else f"{value:.1f}×"


def duration(us: float | None) -> str:
    """Microseconds in the unit that reads best."""
    if us is None:
        return "–"
    return f"{us:.1f} µs" if us < 100 else f"{us:.0f} µs" if us < 10_000 else f"{us / 1000:.1f} ms"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of names and values."""
    return (
        "<dl>"
        + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
        + "</dl>"
    )


def figure(svg: str, caption: str) -> str:
    """A picture (trusted SVG) with its explanation."""
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _cell(cell: str | Shaded, attribute: str) -> str:
    if isinstance(cell, Shaded):
        return f'<td{attribute} style="background:{cell.colour}">{escape(cell.text)}</td>'
    return f"<td{attribute}>{escape(cell)}</td>"


def _left(index: int, text_columns: int) -> str:
    return ' class="text"' if index < text_columns else ""


def _ratio_colour(value: float) -> str:
    if value < 1:
        return f"hsl(8 75% {max(72, 100 - 60 * (1 - value)):.0f}%)"
    return f"hsl(158 45% {max(68, 99 - 9 * (value - 1) ** 0.6):.0f}%)"

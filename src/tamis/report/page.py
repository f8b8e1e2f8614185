"""From parts to one HTML document that needs no other file and no network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamis.report.palette import DARK, LIGHT
from tamis.report.parts import Part
from tamis.storage import write_text

if TYPE_CHECKING:
    from jinja2 import Environment


def page(title: str, parts: Iterable[Part]) -> str:
    """Render a document.

    Parameters
    ----------
    title : str
        Of the window.
    parts : iterable of Part
        In reading order. All their words are escaped; only the ``svg`` of a :class:`Figure` is taken as it is.
    """
    template = _environment().get_template("page.html")
    return template.render(title=title, parts=list(parts), light=LIGHT, dark=DARK)


def write_page(path: str | Path, title: str, parts: Iterable[Part]) -> None:
    """Write :func:`page`, whole or not at all: a part that fails leaves the old file."""
    write_text(path, page(title, parts))


def application(title: str, template: str, **values: Any) -> str:
    """Render a template of another room that fills the blocks of this room's ``document.html``.

    Parameters
    ----------
    title : str
        Of the window.
    template : str
        Source of a template that begins with ``{% extends "document.html" %}``.
    **values
        What it needs; strings are escaped, and ``{{ value | data }}`` writes any plain value as JSON that no browser mistakes
        for markup.
    """
    return _environment().from_string(template).render(title=title, light=LIGHT, dark=DARK, **values)


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("tamis.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["data"] = _data
    return made


def _data(value: Mapping[str, Any]) -> str:
    from markupsafe import Markup

    return Markup(json.dumps(value).replace("<", "\\u003c"))

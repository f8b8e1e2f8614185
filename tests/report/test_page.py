"""A page: every part laid out, every word escaped, and whole with nothing to show."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tamis.report import (
    Cell,
    Column,
    Facts,
    Figure,
    Folded,
    Heading,
    Image,
    Key,
    Line,
    Numbers,
    Paragraph,
    Part,
    Table,
    Title,
    application,
    page,
    words,
    write_page,
)
from tests.report.pages import assert_loads_nothing, assert_whole

EVIL = """<script>alert(1)</script>"'&</style></title>{{ 7 * 7 }}"""


def every_part(text: str) -> list[Part]:
    table = Table([words(text), Column(text, text)], [[text, Cell(text, 1.5)]], caption=text)
    return [
        Title(text, over=text),
        Heading(text),
        *(Paragraph(text, kind) for kind in ("", "soft", "lede", "warning", "quote", "code")),
        Numbers([(text, text)]),
        Key([("a", text)]),
        Figure("<svg></svg>", text),
        Image(text, text, text),
        Facts({"Command": text, text: text}),
        Folded(text, text, [Paragraph(text), table], "open"),
        table,
    ]


def test_every_part_escapes_what_comes_from_outside() -> None:
    text = page(EVIL, every_part(EVIL))
    assert_whole(text)
    assert text.count("<script>") == text.count("</script>") == 1
    assert text.count("</style>") == text.count("</title>") == 1
    assert "49" not in text.partition("<body>")[2].partition("<script>")[0]
    ours = page("t", every_part("plain"))
    for tag in ("p", "td", "th", "li", "dd", "h1", "h2", "b"):
        assert text.count(f"<{tag}") == ours.count(f"<{tag}"), tag


def test_it_says_what_it_was_given_and_loads_nothing() -> None:
    text = page("a title", every_part("said"))
    assert_whole(text)
    assert_loads_nothing(text.replace('src="said"', "").replace('href="said"', ""))
    assert "<title>a title</title>" in text
    assert "<dt>Command</dt><dd><code>said</code></dd>" in text
    assert "<dt>said</dt><dd>said</dd>" in text
    assert '<p class="warning">said</p>' in text
    assert "<details open>" in text


def test_rows_look_and_sort_as_they_say() -> None:
    table = Table(
        [words("name"), "speed"],
        [Line(["x", Cell("2.00×", 2.0, "gain", 0.5)], "best"), ["y", Cell("–")]],
    )
    text = page("t", [table])
    assert '<tr class="best"><td class="text">x</td><td data-v="2" style="background:rgb(var(--gain)' in text
    assert '<td class="text">y</td><td>–</td>' in text


def test_pages_with_nothing_to_show() -> None:
    assert_whole(page("", []))
    text = page("t", [Table([words("name"), "value"], [])])
    assert_whole(text)
    assert "nothing to show" in text
    assert_whole(page("t", [Key([]), Numbers([]), Facts({}), Folded("f", "", [])]))


def test_data_of_an_application_cannot_end_its_script() -> None:
    source = '{% extends "document.html" %}{% block body %}<h1>{{ title }}</h1><script>{{ x | data }}</script>{% endblock %}'
    text = application(EVIL, source, x={"a": "</script><b>"})
    assert_whole(text)
    assert r"\u003c/script>\u003cb>" in text


def test_a_page_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    write_page(path, "old", [])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="Table: row 0 has 1 cells, but there are 2 columns"):
        write_page(path, "new", (Table(["a", "b"], [["1"]]) for _ in range(1)))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


WRITE_FOR_EVER = """
import itertools, sys
from tamis.report import Paragraph, write_page
for i in itertools.count():
    write_page(sys.argv[1], "t", [Paragraph(str(i)) for _ in range(500)])
    print(i, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_page(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    moments = random.Random(1)
    for _ in range(3):
        command = [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path / "a.html")]
        writer = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(moments.uniform(0, 0.1))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        assert_whole((tmp_path / "a.html").read_text(encoding="utf-8"))

"""The page: whole, offline, honest about ruined models, and safe with odd names."""

import re
from html.parser import HTMLParser

import pytest

from tamis.tour.report import write_report
from tamis.tour.rows import Configuration, Damage
from tamis.tour.svg import Axis, nice_ticks

from .rows_by_hand import layer, row, speed, tour

VOID = {"meta", "br", "link", "img"}


class Balanced(HTMLParser):
    """Fails on a tag that is closed but not open, and keeps those that stay open."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page_of(found, folder):
    write_report(found, folder / "r.html")
    text = (folder / "r.html").read_text(encoding="utf-8")
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    return text


ROWS = (
    row(50, 0.985, sparsity=0.2),
    row(20, 0.41, "4x1", 0.9),
    row(45, 0.981, "mixed", None, 0.984),
)


def test_the_page_is_whole_and_loads_nothing(tmp_path):
    damages = (Damage("magnitude", Configuration("4x1", 0.9), 0.3),)
    text = page_of(tour(*ROWS, packed_ms=60, damages=damages), tmp_path)
    assert not re.search(r"""(src|href)=|@import|url\(|https?://""", text)
    assert text.count("<svg") == 4
    assert list(tmp_path.iterdir()) == [tmp_path / "r.html"]


def test_ruined_rows_are_greyed_and_the_best_is_marked(tmp_path):
    text = page_of(tour(*ROWS), tmp_path)
    assert len(re.findall(r'<tr class="ruined">', text)) == 1
    assert re.search(r'<tr class="best"><td class="text">mixed for 0.984', text)
    assert "dot ruined b" in text
    assert "dot ruined a" not in text


@pytest.mark.parametrize(
    "rows",
    [(row(20, 0.3), row(30, 0.5, sparsity=0.3)), (row(200, 0.99),), (row(1, -0.2, layers=()),)],
    ids=["all ruined", "dense wins", "opposite embeddings, no layers"],
)
def test_there_is_a_page_for_every_outcome(rows, tmp_path):
    assert "Dense wins here" in page_of(tour(*rows), tmp_path)


def test_names_from_outside_are_escaped(tmp_path):
    odd = row(50, 0.99, layers=(layer("<script>alert(1)</script>", reason="<b>&"),))
    environment = {"Command": "tamis tour -o '</code><i>'"}
    text = page_of(tour(odd, model="<i>x", environment=environment), tmp_path)
    assert "<script>alert" not in text
    assert "<i>x" not in text
    assert "</code><i>" not in text


def test_a_busy_machine_is_told(tmp_path):
    assert "Other programs wanted the same cores" not in page_of(tour(*ROWS), tmp_path)
    assert "up to 60 % of the time" in page_of(tour(*ROWS, dense_batch=speed(100, 0.6)), tmp_path)


def test_a_killed_writer_leaves_the_old_page(tmp_path, monkeypatch):
    page_of(tour(*ROWS), tmp_path)
    before = (tmp_path / "r.html").read_bytes()
    monkeypatch.setattr("tamis.tour.charts.memory", lambda tour: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(tour(*ROWS), tmp_path / "r.html")
    assert (tmp_path / "r.html").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("high", [1e-5, 0.03, 0.7, 1.0, 6.02, 7, 99, 12345])
def test_ticks_are_few_and_cover(high):
    ticks = nice_ticks(high)
    assert ticks[0] == 0
    assert ticks[-1] >= high * (1 - 1e-9)
    assert 2 <= len(ticks) <= 9


def test_an_axis_maps_its_ends():
    axis = Axis(0, 10, 50, 150)
    assert (axis(0), axis(5), axis(10)) == (50, 100, 150)

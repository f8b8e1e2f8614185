"""The page: whole, offline, honest about ruined models, and safe with odd names."""

import re

import pytest

from tamis.tour.report import write_report
from tamis.tour.rows import Configuration, Damage
from tests.report.pages import assert_loads_nothing, assert_whole

from .rows_by_hand import layer, row, speed, tour


def page_of(found, folder):
    write_report(found, folder / "r.html")
    text = (folder / "r.html").read_text(encoding="utf-8")
    assert_whole(text)
    return text


ROWS = (
    row(50, 0.985, sparsity=0.2),
    row(20, 0.41, "4x1", 0.9),
    row(45, 0.981, "mixed", None, 0.984),
)


def test_the_page_is_whole_and_loads_nothing(tmp_path):
    damages = (Damage("magnitude", Configuration("4x1", 0.9), 0.3),)
    text = page_of(tour(*ROWS, packed_ms=60, damages=damages), tmp_path)
    assert_loads_nothing(text)
    assert text.count("<svg") == 4
    assert list(tmp_path.iterdir()) == [tmp_path / "r.html"]


def test_ruined_rows_are_greyed_and_the_best_is_marked(tmp_path):
    text = page_of(tour(*ROWS), tmp_path)
    assert len(re.findall(r'<tr class="ruined">', text)) == 1
    assert re.search(r'<tr class="best"><td class="text">mixed for 0.984', text)


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


def test_figures_name_every_point_and_follow_the_page(tmp_path):
    text = page_of(tour(*ROWS), tmp_path)
    assert "<title>4x1, 90 %: 5.00×, mean cosine 0.410</title>" in text
    assert "var(--a)" in text
    assert "#0b6e4f" not in text.partition("</style>")[2]

"""The section "int8": speeds against the fastest dense product of any kind."""

import pytest
from tests.report.pages import assert_whole

from tamis.bench.spmm import rows
from tamis.bench.spmm.contestants import ROLES
from tamis.bench.spmm.results import report
from tamis.bench.spmm.results.eight_bits import eight_bit_cells, said_of_eight_bits


@pytest.fixture
def measured(row):
    """Two cells at 80 %: dense int8 is 4 and 4 times as fast as float32, ours 8 and 18 times."""
    speeds = {"dense_mm": 0.9, "dense_linear": 1.0, "dense_bf16": 2.0, "dense_int8_x86": 3.5}
    made = []
    for cell, ours in (("a", 8.0), ("b", 18.0)):
        for name, speed in (speeds | {"dense_int8_onednn": 4.0, "tamis_8_bits": ours}).items():
            facts = {"cell": cell, "section": "int8", "pattern": "1x4", "max_error": speed / 1000}
            made.append(row(name, **facts, speedup=speed, median_us=1000 / speed))
    return made


def test_ours_is_compared_with_the_fastest_and_with_float32(measured):
    a, b = eight_bit_cells(measured, ROLES)
    assert a.fastest.contestant == "dense_int8_onednn"
    assert a.float32.contestant == "dense_linear"
    assert (a.vs_fastest, b.vs_fastest) == (2.0, 4.5)
    assert (a.vs_float32, b.vs_float32) == (8.0, 18.0)
    assert a.eight_bits.contestant == "dense_int8_x86"  # the more exact one


def test_cells_without_ours_or_of_other_sections_are_left_out(measured, row):
    without = [r for r in measured if r.contestant != "tamis_8_bits"]
    assert eight_bit_cells([*without, row("tamis_8_bits")], ROLES) == []


def test_the_sentence_gives_geometric_means(measured):
    assert said_of_eight_bits(eight_bit_cells(measured, ROLES)) == (
        "In 8 bits, 1x4 zeros: 3.00× at 80 % the fastest dense product of any kind (geometric means)."
    )


def test_the_page_shows_them(measured, tmp_path):
    pytest.importorskip("matplotlib", reason="extra tamis[bench]")
    path = tmp_path / "spmm_int8.csv"
    rows.replace(path, measured)
    page = report.write(rows.read(path), path, "tamis bench spmm --int8")
    assert_whole(page.read_text())
    assert "fastest dense product of any kind" in page.read_text()

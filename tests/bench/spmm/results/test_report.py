"""The page: whole, offline, escaped, and saying what the rows say."""

import re

import pytest
from tests.report.pages import assert_loads_nothing, assert_whole

from tamis.bench.spmm import rows
from tamis.bench.spmm.contestants.listed import ALL
from tamis.bench.spmm.results import report
from tamis.bench.spmm.results.summary import cell_results

pytest.importorskip("matplotlib", reason="extra tamis[bench]")

COMMON = {
    "peak_gflops": 500.0,
    "gflops": 100.0,
    "pack_us": 900.0,
    "breakeven_calls": 3.0,
    "cpu": "a cpu",
    "threads": 2,
}
SPEEDS = {"dense_mm": 1.0, "dense_linear": 0.9, "dense_onednn": 2.0, "tamis_spmm": 3.0, "tamis_linear": 2.8}


@pytest.fixture
def some(row):
    """Every section, two patterns, three sparsities; a refused contestant with markup in its note."""
    made = []
    for section in ("grid", "decode", "lengths", "layers"):
        for pattern in ("unstructured", "4x1"):
            for target in (0.3, 0.8, 0.9):
                for planned_n in (128, 64) if section == "lengths" else (128,):
                    cell = f"{section}-{pattern}-{target}-{planned_n}"
                    facts = {
                        "cell": cell,
                        "matrix": cell.rsplit("-", 1)[0],
                        "section": section,
                        "pattern": pattern,
                    }
                    facts |= {"target": target, "sparsity": target, "planned_n": planned_n, **COMMON}
                    for contestant in ALL:
                        speed = SPEEDS.get(contestant.name, 0.5) * (
                            0.2 if target == 0.3 and contestant.role == "ours" else 1.0
                        )
                        made.append(row(contestant.name, **facts, speedup=speed, median_us=1500 / speed))
    made[-1] = row(
        "numba_csr", cell=made[-1].cell, status="refused", note="<script>alert(1)</script>", speedup=None
    )
    return made


@pytest.fixture
def page(some, tmp_path):
    path = tmp_path / "spmm.csv"
    rows.replace(path, some)
    return report.write(rows.read(path), path, "tamis bench spmm --quick")


def test_every_part_is_there(page):
    text = page.read_text()
    for words in (
        "Speed against sparsity",
        "Crossover",
        "Share of the FMA peak",
        "Packing",
        "Few columns",
        "nn.Linear",
    ):
        assert words in text
    for words in (
        "Layers of a real model",
        "plan was not made for",
        "how far to trust it",
        "tamis bench spmm --quick",
    ):
        assert words in text
    assert page.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert not list(page.parent.glob("*.part"))


def test_it_is_whole_and_loads_nothing(page):
    assert_whole(page.read_text())
    assert_loads_nothing(page.read_text())


def test_notes_are_escaped(page):
    assert "&lt;script&gt;alert(1)" in page.read_text()
    assert "<script>alert" not in page.read_text()


def test_tags_close(page):
    text = page.read_text()
    for tag in ("table", "tr", "td", "figure", "svg", "p", "h2", "dl"):
        assert len(re.findall(rf"<{tag}[\s>]", text)) == text.count(f"</{tag}>"), tag


def test_the_verdict_says_when_dense_wins(some):
    said = report.verdict_of(some)
    assert "3.00× at 80 %, 3.00× at 90 %" in said
    assert "Dense wins in 2 of 6 cells" in said
    assert "30 % unstructured (0.60×)" in said or "30 % 4x1 (0.60×)" in said
    assert (
        "packed ahead for oneDNN, as AOTInductor has them: 1.50× at 80 %, 1.50× at 90 %; it wins in 2 cells"
        in said
    )


def test_few_columns_have_a_sentence_of_their_own(some):
    assert "(n = 1 to 16), dense wins in 2 of 6 cells, and a sparse peer in 0." in report.verdict_of(some)
    assert "few columns" not in report.verdict_of([row for row in some if row.section == "grid"])


def test_the_verdict_without_losses_or_peers(row):
    results = cell_results([row(speedup=2.0)], {"tamis_spmm": "ours"})
    assert report.verdict(results).endswith("Dense wins in none of 1 cells.")
    assert report.verdict([]) == "No product of ours was timed."


@pytest.mark.parametrize("keep", ["tamis_spmm", "dense_mm", "numba_csr"])
def test_rows_of_one_contestant_make_a_page(some, tmp_path, keep):
    path = tmp_path / "few.csv"
    rows.replace(path, [row for row in some if row.contestant == keep])
    assert "<h1>" in report.write(rows.read(path), path, "").read_text()


def test_files_without_a_target_make_a_page(row, tmp_path):
    path = tmp_path / "files.csv"
    made = [
        row(name, section="files", family="file", target=None, breakeven_calls=1.0)
        for name in ("dense_mm", "tamis_spmm")
    ]
    rows.replace(path, made)
    assert "Speed against sparsity" in report.write(rows.read(path), path, "").read_text()


def test_no_rows_no_page(tmp_path):
    with pytest.raises(ValueError, match="no row"):
        report.write([], tmp_path / "none.csv", "")

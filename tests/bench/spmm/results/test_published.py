"""Published rows: fewer, trimmed, and the page says the same about them."""

import sys

import pytest

from tamis.bench import spmm
from tamis.bench.spmm import __main__ as again
from tamis.bench.spmm.contestants import ALL

SPEEDS = {
    "dense_mm": 1.0,
    "dense_linear": 0.9,
    "dense_onednn": 2.0,
    "tamis_spmm": 3.00049,
    "tamis_linear": 2.8,
}


@pytest.fixture
def some(row):
    machine = {"cpu": "a cpu", "threads": 2, "peak_gflops": 500.0, "dense_us": 1500.0, "breakeven_calls": 3.0}
    made = []
    for section in ("grid", "decode", "layers"):
        for target in (0.5, 0.8, 0.9):
            facts = {
                "section": section,
                "cell": "",
                "matrix": f"{section}{target}",
                "target": target,
                "sparsity": target,
            }
            for contestant in ALL:
                speed = SPEEDS.get(contestant.name, 0.5)
                numbers = {"speedup": speed, "median_us": 1500.0 / speed, "gflops": 50.0, "pack_us": 900.0}
                made.append(row(contestant.name, **machine, **facts, **numbers, detail="cpu/x: because"))
    made[4] = row("torch_csr", **machine, cell=made[4].cell, status="unavailable", median_us=None)
    return made


def test_rows_behind_a_figure_stay(some, tmp_path):
    path = tmp_path / "spmm_full_cpu_avx2_2t.csv"
    spmm.publish(some, path)
    back = spmm.read(path)
    assert {row.section for row in back} == {"grid", "decode"}
    assert all(row.status == "ok" for row in back)
    assert not [row for row in back if row.contestant == "dense_linear"]  # the slower layout
    assert {row.detail for row in back if row.contestant == "tamis_spmm"} == {"cpu/x"}
    assert spmm.verdict_of(back) == spmm.verdict_of([row for row in some if row.section != "layers"])
    assert [row.cell for row in back[:2]] == ["grid0.5_n128_warm"] * 2


def test_rows_of_two_machines_are_not_published_together(some, row, tmp_path):
    with pytest.raises(ValueError, match="rows differ in cpu"):
        spmm.publish([*some, row(cell="other", cpu="another")], tmp_path / "two.csv")


def test_the_page_is_made_again_from_published_rows(some, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="extra tamis[bench]")
    path = tmp_path / "spmm_full_cpu_avx2_2t.csv"
    spmm.publish(some, path)
    monkeypatch.setattr(sys, "argv", ["spmm", str(path), "-o", str(tmp_path / "out"), "--publish"])
    again.main()
    page = (tmp_path / "out" / "spmm_full_cpu_avx2_2t.html").read_text()
    assert "tamis bench spmm --full" in page
    assert "Few columns" in page
    assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert capsys.readouterr().out.strip().endswith("_2t.html")

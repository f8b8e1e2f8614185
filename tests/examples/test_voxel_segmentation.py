"""The example trains, loads and labels within seconds."""

import os
import re
import runpy
import sys
from pathlib import Path

import pytest

pytest.importorskip("lightning_fabric", reason="extra tamis[voxel]")

EXAMPLE = Path(__file__).parents[2] / "examples" / "voxel_segmentation.py"


def test_it_trains_and_labels_every_point(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [EXAMPLE.name, os.fspath(tmp_path / "run")])
    runpy.run_path(os.fspath(EXAMPLE), run_name="__main__")
    out = capsys.readouterr().out
    assert (tmp_path / "run" / "segmenter.safetensors").is_file()
    assert "mean IoU" in out
    counts = [int(count) for count in re.findall(r"(\d+) points$", out, re.MULTILINE)]
    assert sum(counts) > 20_000
    assert len([count for count in counts if count]) > 1

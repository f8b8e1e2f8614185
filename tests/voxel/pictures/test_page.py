"""The page holds the points, needs nothing from outside, and keeps hostile names harmless."""

import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import torch

from tamis.voxel.pictures import save_page

POINTS = torch.tensor([[0.0, 0, 0], [10, 5, 2], [10, -5, 1]])
LABELS = torch.tensor([0, 1, -1])


def data_of(path):
    text = path.read_text("utf-8")
    return text, json.loads(re.search(r'id="cloud">(.*?)</script>', text, re.DOTALL)[1])


def test_positions_and_labels_survive(tmp_path):
    save_page(tmp_path / "a.html", POINTS, LABELS, ("road", "vehicle"), title="scan")
    _, cloud = data_of(tmp_path / "a.html")
    cells = np.frombuffer(base64.b64decode(cloud["positions"]), "<u2").reshape(-1, 3)
    np.testing.assert_allclose(cells * (cloud["size"] / 65535) + cloud["low"], POINTS, atol=2e-4)
    assert list(base64.b64decode(cloud["labels"])) == [0, 1, 2]
    assert cloud["names"] == ["road", "vehicle", "unlabelled"]


def test_nothing_from_outside_and_nothing_from_names(tmp_path):
    hostile = "</script><script>alert(1)</script>"
    save_page(tmp_path / "a.html", POINTS, LABELS, (hostile, "b"), title=hostile)
    text, cloud = data_of(tmp_path / "a.html")
    assert cloud["names"][0] == hostile
    assert text.count("<script") == 2
    assert not re.search(r"(src|href)\s*=|https?://|@import|url\(", text)


def test_large_clouds_are_thinned_and_small(tmp_path):
    save_page(tmp_path / "a.html", torch.rand(900_001, 3), torch.zeros(900_001, dtype=torch.int64), ("a",))
    _, cloud = data_of(tmp_path / "a.html")
    assert 300_000 <= cloud["count"] <= 400_000
    assert cloud["of"] == 900_001
    assert (tmp_path / "a.html").stat().st_size < 4_000_000


def test_empty_cloud(tmp_path):
    save_page(tmp_path / "a.html", POINTS[:0], LABELS[:0], ("a",))
    assert data_of(tmp_path / "a.html")[1]["count"] == 0


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium")
def test_a_browser_draws_it(tmp_path):
    from PIL import Image

    points = torch.rand(20_000, 3) * torch.tensor([20.0, 20.0, 0.1])
    save_page(tmp_path / "a.html", points, torch.zeros(20_000, dtype=torch.int64), ("vehicle",))
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=800,600",
        "--virtual-time-budget=3000",
    )
    shot = tmp_path / "a.png"
    command = ["chromium", *options, f"--screenshot={shot}", (tmp_path / "a.html").as_uri()]
    subprocess.run(command, check=True, capture_output=True)
    picture = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    blue = (picture[..., 2] > 120) & (picture[..., 0] < 110)
    assert blue.sum() > 5_000

"""The street of the tour: labelled far better than chance, and left as picture and page."""

import importlib.util

import pytest

from tamis.tour import street as streets
from tamis.tour.street import label_street


def test_a_street_is_labelled_and_shown(tmp_path):
    street = label_street(0, tmp_path / "deep" / "r-street", budget_s=0.05)
    assert 0.4 < street.mean_iou < 1  # eight classes: chance is far below
    assert street.mean_iou == pytest.approx(sum(street.iou.values()) / len(street.iou))
    assert street.points > street.voxels > 10_000
    assert 0 < street.plan_ms < street.ms
    assert "no real scan" in street.trained_on
    assert street.picture.read_bytes().startswith(b"\x89PNG")
    assert "</html>" in street.page.read_text("utf-8")
    assert street.name == f"canyon-hdl64-{streets.FIRST_SEED}"


def test_without_matplotlib_there_is_no_picture(tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(streets, "find_spec", lambda name: None if name == "matplotlib" else found(name))
    street = label_street(1, tmp_path / "r", budget_s=0.01)
    assert street.picture is None
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]

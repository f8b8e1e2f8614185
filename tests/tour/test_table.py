"""The CSV beside the page."""

import csv

import pytest

from tamis.tour.street import Street
from tamis.tour.table import COLUMNS, write_table

from .rows_by_hand import row, tour


def test_every_model_and_the_street_have_a_line(tmp_path):
    street = Street(
        "canyon-hdl64-7000", 1000, 300, 0.2, "MinkUNet14, width 0.375", 50.0, 20.0,
        {"road": 0.8, "pole": 0.4}, "streets", tmp_path / "s.html", None,
    )  # fmt: skip
    environment = {"CPU": "a CPU", "Instruction set": "avx2, of baseline, avx2", "Threads": "2"}
    found = tour(
        row(50, 0.985), row(20, 0.41, "4x1", 0.9), packed_ms=60, street=street, environment=environment
    )
    write_table(found, tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert tuple(lines[0]) == COLUMNS
    assert [line["part"] for line in lines] == ["model"] * 4 + ["street"]
    dense, packed, half, _, scan = lines
    assert (dense["speedup"], packed["packed_bytes"]) == ("1", "32768")
    assert float(half["speedup"]) == pytest.approx(2)
    assert half["name"] == "unstructured, 50 %"
    assert float(scan["mean_iou"]) == pytest.approx(0.6)
    assert scan["mean_cosine"] == ""
    assert {line["isa"] for line in lines} == {"avx2"}
    assert list(tmp_path.iterdir()) == [tmp_path / "r.csv"]

"""The CSV: what is written comes back, a torn tail does not, and another program's file is refused."""

from dataclasses import asdict
from math import inf

import pytest

from tamis.bench.spmm import rows


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results" / "spmm.csv"


@pytest.fixture
def some(row):
    return [
        row(),
        row(
            "mkl_csr",
            detail="mkl 2026, libmkl_def",
            note='a "quoted", and\nbroken note',
            median_us=123.456789,
        ),
        row(
            "torch_bsr", status="unavailable", median_us=None, speedup=None, target=None, breakeven_calls=inf
        ),
    ]


def test_rows_come_back(path, some):
    rows.append(path, some[:2])
    rows.append(path, some[2:])
    back = rows.read(path)
    assert back[0] == some[0]
    assert back[1].note == 'a "quoted", and broken note'
    assert back[1].median_us == pytest.approx(123.456789, rel=1e-5)
    assert back[2] == some[2]
    assert path.read_text().count("median_us") == 1


def test_replace_and_append_write_the_same(path, some, tmp_path):
    rows.append(path, some)
    rows.replace(tmp_path / "other.csv", some)
    assert path.read_bytes() == (tmp_path / "other.csv").read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_replacing_with_nothing_leaves_a_header_to_append_to(path, some):
    rows.replace(path, [])
    assert rows.read(path) == []
    rows.append(path, some)
    assert len(rows.read(path)) == 3


def test_an_absent_or_empty_file_has_no_rows(path):
    assert rows.read(path) == []
    path.parent.mkdir()
    path.touch()
    assert rows.read(path) == []


def test_a_torn_tail_is_left_out_wherever_it_tore(path, some):
    rows.append(path, some)
    whole = path.read_bytes()
    starts = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(starts[1], len(whole), 7):
        path.write_bytes(whole[:cut])
        assert rows.read(path) == rows.read(path)[: sum(start <= cut for start in starts) - 1]
        assert len(rows.read(path)) == sum(start <= cut for start in starts) - 1


def test_other_columns_are_refused(path, some):
    rows.append(path, some)
    path.write_text(path.read_text().replace("median_us", "median_ms", 1))
    with pytest.raises(ValueError, match=r"line 1: columns differ.*median_ms"):
        rows.read(path)


@pytest.mark.parametrize("field", ["n", "sparsity"])
def test_a_number_that_is_none_is_named_by_line(path, row, field):
    rows.append(path, [row(), row()])
    lines = path.read_text().splitlines()
    values = lines[2].split(",")
    values[rows.COLUMNS.index(field)] = "many"
    lines[2] = ",".join(values)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="line 3"):
        rows.read(path)


def test_too_few_columns_are_named_by_line(path, row):
    rows.append(path, [row()])
    path.write_text(path.read_text() + "grid,c1\n")
    with pytest.raises(ValueError, match="line 3"):
        rows.read(path)


def test_every_field_has_a_column(row):
    assert tuple(asdict(row())) == rows.COLUMNS

"""The .smtx reader and writer, on files as other programs write them and on broken ones."""

import gzip
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.formats import BSR, CSR, load, read_smtx, write_smtx

EXAMPLE = "3, 4, 3\n0 2 2 3 \n0 3 1 \n"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "pattern.smtx"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text", [EXAMPLE, EXAMPLE.replace("\n", "\r\n"), EXAMPLE.replace(",", ""), EXAMPLE.rstrip()]
)
def test_reads_a_pattern(tmp_path: Path, text: str) -> None:
    a = load(written(tmp_path, text))
    assert isinstance(a, CSR)
    assert a.dtype == torch.float32
    assert a.to_dense().tolist() == [[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]


@pytest.mark.parametrize(
    "text", ["2, 3, 0\n0 0 0\n\n", "2, 3, 0\n0 0 0\n", "2, 3, 0\n0 0 0", "0, 3, 0\n0\n\n", "2,0,0\n0 0 0\n"]
)
def test_reads_a_matrix_without_entries(tmp_path: Path, text: str) -> None:
    assert load(written(tmp_path, text)).nnz == 0


@pytest.mark.parametrize("name", ["a.smtx", "a.SMTX", "a.smtx.gz"])
def test_reads_compressed_patterns(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(EXAMPLE.encode()))
    assert load(tmp_path / name).col_indices.tolist() == [0, 3, 1]


def test_values_from_a_seed_are_the_same_every_time(tmp_path: Path) -> None:
    path = written(tmp_path, EXAMPLE)
    first, again, other = (read_smtx(path, seed=seed).values for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert read_smtx(path, dtype=torch.float64).dtype == torch.float64


def test_columns_in_any_order_are_sorted(tmp_path: Path) -> None:
    assert read_smtx(written(tmp_path, "1, 4, 3\n0 3\n3 0 1\n")).col_indices.tolist() == [0, 1, 3]


def test_writer_and_reader_agree(tmp_path: Path) -> None:
    for w in (torch.eye(5), torch.zeros(3, 2), torch.ones(2, 7), torch.zeros(0, 4)):
        for a in (CSR.from_dense(w), BSR.from_dense(w, (1, 1))):
            write_smtx(a, tmp_path / "x.smtx")
            assert torch.equal(read_smtx(tmp_path / "x.smtx").to_dense(), (w != 0).float())
    write_smtx(CSR.from_dense(torch.eye(2)), tmp_path / "x.smtx")
    assert (tmp_path / "x.smtx").read_text() == "2, 2, 2\n0 1 2\n0 1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected 3 numbers"),
        ("3, 4\n", "line 1: expected 3 numbers .* but found 2"),
        ("3, 4, x\n", "line 1: expected integers, but found 'x'"),
        ("3.0, 4, 3\n", "line 1: expected integers, but found '.'"),
        ("-3, 4, 3\n", "line 1: each side of shape"),
        ("3, 99999999999, 3\n", "line 1: each side of shape"),
        ("3, 4, 13\n", "line 1: a matrix of 3 x 4 cannot have 13 entries"),
        ("3, 4, -1\n", "line 1: a matrix of 3 x 4 cannot have -1 entries"),
        ("3, 4, 99999999999999999999\n", "line 1: not every word"),
        ("3, 4, 1-1\n", "line 1: not every word"),
        ("3, 4, " + "9" * 5000, "line 1: not every word"),
        ("3, 4, 3\n", "line 2: expected 4 row offsets, but found 0; the file may be truncated"),
        ("3, 4, 3\n0 2 2\n0 3 1\n", "line 2: expected 4 row offsets, but found 3"),
        ("2147483647, 4, 3\n0 2 2\n0 3 1\n", "line 2: expected 2147483648 row offsets, but found 3"),
        ("3, 4, 3\n0 2 1 3\n0 3 1\n", "line 2: row offsets must not descend"),
        ("3, 4, 3\n1 2 2 3\n0 3 1\n", "line 2: row offsets must start at 0"),
        ("3, 4, 3\n0 2 2 9\n0 3 1\n", "line 2: row offsets must end at"),
        ("3, 4, 3\n0 2 2 3\n0 3\n", "line 3: expected 3 column indices, but found 2; the file may be truncated"),
        ("3, 4, 3\n0 2 2 3\n0 4 1\n", "line 3: .*must lie in .0, 4."),
        ("3, 4, 3\n0 2 2 3\n0 -1 1\n", "line 3: .*must lie in .0, 4."),
        ("3, 4, 3\n0 2 2 3\n3 3 1\n", "line 3: .*row 0, column 3 came twice"),
        ("3, 4, 3\n0 2 2 3\n0 3 1\n1.0 1.0 1.0\n", "line 4: expected the end of the file"),
        (b"3, 4, 3\n0 2 2 3\n0 3 \xff\n", "line 3: expected integers"),
        (b"\x00" * 50, "line 1: expected integers"),
    ],
)  # fmt: skip
def test_broken_files_name_the_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(written(tmp_path, text))


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.smtx")


@settings(deadline=None)
@given(st.integers(0, len(EXAMPLE) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_mutations_are_read_or_refused_never_worse(
    tmp_path_factory: pytest.TempPathFactory, place: int, inserted: bytes, removed: int
) -> None:
    text = EXAMPLE.encode()
    path = written(tmp_path_factory.mktemp("smtx"), text[:place] + inserted + text[place + removed :])
    try:
        read_smtx(path).check()
    except ValueError as error:
        outcome = str(error)
    else:
        outcome = "read"
    assert outcome == "read" or "line " in outcome

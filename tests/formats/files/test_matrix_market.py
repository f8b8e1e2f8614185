"""Matrix Market files as other programs write them, and broken ones."""

import bz2
import gzip
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.formats import CSR, load, read_matrix_market

HEADER = "%%MatrixMarket matrix coordinate real general\n"
EXAMPLE = HEADER + "% a comment\n3 4 3\n1 1 1.5\n3 2 -2e3\n1 4 nan\n"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "matrix.mtx"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_reads_coordinates(tmp_path: Path) -> None:
    a = load(written(tmp_path, EXAMPLE))
    assert isinstance(a, CSR)
    assert a.dtype == torch.float32
    assert a.shape == (3, 4)
    assert a.col_indices.tolist() == [0, 3, 1]
    assert a.crow_indices.tolist() == [0, 2, 2, 3]
    assert a.values[0] == 1.5
    assert a.values[1].isnan()
    assert a.values[2] == -2000


@pytest.mark.parametrize(
    ("text", "dense"),
    [
        (HEADER + "2 2 0\n", [[0, 0], [0, 0]]),
        (HEADER + "2 2 3\n1 1 1\n1 1 2\n2 1 0\n", [[3, 0], [0, 0]]),
        ("%%MatrixMarket matrix coordinate pattern general\n2 2 1\n2 1\n", [[0, 0], [1, 0]]),
        ("%%MatrixMarket matrix coordinate integer symmetric\n2 2 2\n1 1 3\n2 1 4\n", [[3, 4], [4, 0]]),
        ("%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n2 1 4\n", [[0, -4], [4, 0]]),
        ("%%MatrixMarket matrix array real general\n2 2\n1\n0\n0\n4\n", [[1, 0], [0, 4]]),
        ("%%MatrixMarket matrix array integer symmetric\n2 2\n1\n2\n3\n", [[1, 2], [2, 3]]),
        (
            "%%MatrixMarket matrix array real skew-symmetric\n3 3\n1\n2\n3\n",
            [[0, -1, -2], [1, 0, -3], [2, 3, 0]],
        ),
        ("%%MatrixMarket matrix array real general\n2 3\n1\n2\n3\n4\n5\n6", [[1, 3, 5], [2, 4, 6]]),
        (HEADER + "% note\n\n1 2 1\r\n\r\n 1\t2  7 \r\n\n", [[0, 7]]),
        ("%%MATRIXMARKET MATRIX COORDINATE REAL GENERAL\n1 2 1\n1 2 7\n", [[0, 7]]),
        ("\ufeff" + HEADER + "1 2 1\n1 2 7\n", [[0, 7]]),
        (HEADER + " % indented\n\t% twice\n1 2 1\n1 2 7\n", [[0, 7]]),
        (
            HEADER + "1 5 5\n1 1 1.0D+03\n1 2 -2.5d-1\n1 3 +4\n1 4 5.D0\n1 5 .5E+01\n",
            [[1000, -0.25, 4, 5, 5]],
        ),
        (HEADER + "1 3 3\n1 1 1e-400\n1 2 1D999\n1 3 -inf\n", [[0, math.inf, -math.inf]]),
        (HEADER.replace("real", "unsigned-integer") + "1 2 1\n1 2 18446744073709551615\n", [[0, 2**64]]),
        (HEADER.replace("general", "hermitian") + "2 2 2\n1 1 3\n2 1 4\n", [[3, 4], [4, 0]]),
        ("%%MatrixMarket matrix array real hermitian\n2 2\n1\n2\n3\n", [[1, 2], [2, 3]]),
        ("%%MatrixMarket matrix coordinate pattern symmetric\n2 2 1\n2 1\n", [[0, 1], [1, 0]]),
        (HEADER + "2 3 5\n2 3 1\n1 3 2\n2 1 3\n2 3 4\n1 1 5\n", [[5, 0, 2], [3, 0, 5]]),
    ],
)
def test_reads_every_kind(tmp_path: Path, text: str, dense: list) -> None:
    assert load(written(tmp_path, text)).to_dense().tolist() == dense


@pytest.mark.parametrize("name", ["a.mtx", "a.MTX", "a.mm", "a.mtx.gz", "a.MM.BZ2", "a.Mtx.Gz"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress])
def test_compression_is_seen_in_the_file_and_not_in_its_name(
    tmp_path: Path, name: str, compress: Callable[[bytes], bytes]
) -> None:
    """Browsers and archives compress and unpack without renaming."""
    (tmp_path / name).write_bytes(compress(EXAMPLE.encode()))
    assert load(tmp_path / name).col_indices.tolist() == [0, 3, 1]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_damaged_compression_is_a_value_error(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    body = "".join(f"1 {column} {column % 7}\n" for column in range(1, 5001))
    whole = compress((HEADER + "1 5000 5000\n" + body).encode())
    for damaged in (
        whole[: len(whole) // 2],
        whole[:-1],
        whole[:5000] + b"\xff" * 99 + whole[5099:],
        whole[:12],
    ):
        with pytest.raises(ValueError, match=r"a\.mtx'\).*(damaged or cut off|line)"):
            load(written(tmp_path, damaged).rename(tmp_path / "a.mtx"))


def test_reads_what_scipy_writes(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    w = torch.randn(7, 9, dtype=torch.float64) * (torch.rand(7, 9) < 0.4) + 0.0
    for dense in (w, w[:, :7] + w[:, :7].T):
        scipy_io.mmwrite(tmp_path / "x.mtx", CSR.from_dense(dense).to_scipy(), precision=17)
        assert torch.equal(read_matrix_market(tmp_path / "x.mtx", dtype=torch.float64).to_dense(), dense)
    scipy_io.mmwrite(tmp_path / "x.mtx", w.numpy(), precision=17)
    assert torch.equal(read_matrix_market(tmp_path / "x.mtx", dtype=torch.float64).to_dense(), w)


def test_reads_across_chunks(tmp_path: Path) -> None:
    count = 150_000
    body = "".join(f"1 {column} {column}\n" for column in range(1, count + 1))
    a = load(written(tmp_path, HEADER + f"1 {count} {count}\n" + body))
    assert torch.equal(a.values, torch.arange(1.0, count + 1))
    broken = body.replace("\n1 140000 140000\n", "\n1 140000\n")
    with pytest.raises(ValueError, match="line 140002: expected a number as value, but found '1 140000'"):
        load(written(tmp_path, HEADER + f"1 {count} {count}\n" + broken))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "read_matrix_market"),
        ("hello\n", "line 1: expected the banner %%MatrixMarket"),
        (HEADER, "read_matrix_market"),
        (HEADER + "3 4\n", "read_matrix_market"),
        (HEADER + "3 4 x\n", "(?i)line 2"),
        (HEADER + "3 4 2\n1 1 1.5\n", "(?i)truncated|not complete|line"),
        (HEADER + "3 4 1\n9 1 1.5\n", "(?i)line 3"),
        (HEADER + "3 4 1\n0 1 1.5\n", "(?i)line 3"),
        (HEADER + "3 4 1\n1 1 abc\n", "(?i)line 3"),
        (HEADER + "3 4 1\n1 1 1\n1 2 1\n", "(?i)line"),
        (HEADER + "-3 4 1\n1 1 1\n", "read_matrix_market"),
        (HEADER + "1000000000 1000000000 999999999999\n1 1 1\n", "line 2 announces 1000000000 rows"),
        (HEADER + "4 1000000000 999999999999\n1 1 1\n", "the file has 1; it may be truncated"),
        (HEADER + "2147483647 2147483647 0\n", "line 2 announces 2147483647 rows"),
        (
            HEADER + "3 4 3\n1 1 1\n\n1 2 1\n1 1_0 1\n",
            "line 6: expected a column in 1..4, but found '1 1_0 1'",
        ),
        (HEADER + "3 4 2\n1 1 1\n1 2 1 1\n", "line 4: expected the end of the line after 3 numbers"),
        (HEADER + "3 4 2\n1 1\n1 1 2 1\n", "line 3: expected a number as value, but found '1 1'"),
        (HEADER + "3 4 2\n1 1 1\n% no comments here\n", "line 4: expected a row in 1..3"),
        (HEADER.replace("general", "symmetric") + "3 4 1\n1 1 1\n", "line 2: a symmetric matrix is square"),
        (
            HEADER.replace("general", "skew-symmetric") + "2 2 1\n1 1 1\n",
            "line 3: expected no entry on the diagonal",
        ),
        (HEADER.replace("general", "hermitian") + "2 3 1\n1 1 1\n", "line 2: a hermitian matrix is square"),
        (HEADER + "3 4 1\n1 1 1.5D\n", "line 3: expected a number as value, but found '1 1 1.5D'"),
        (HEADER + "3 4 1\n1 1 1.5D+3D\n", "line 3: expected a number as value"),
        (HEADER + "3 4 1\n1 1 +-1\n", "line 3: expected a number as value"),
        (HEADER + "3 4 1\n1 1 0x10\n", "line 3: expected a number as value"),
        (HEADER + "3 4 1\n1 1 1,5\n", "line 3: expected a number as value"),
        (HEADER + "3 4 1\n1.0 1 1\n", "line 3: expected a row in 1..3, but found '1.0 1 1'"),
        (HEADER + "3 4 1\n99999999999999999999 1 1\n", "line 3: expected a row in 1..3"),
        (HEADER + "3 4 1\n1 18446744073709551617 1\n", "line 3: expected a column in 1..4"),
        (HEADER + "3 4 1\n1 1 \x00\n", "line 3: expected a number as value, but found '1 1 .'"),
        (HEADER.replace("real", "integer") + "3 4 1\n1 1 1.5\n", "line 3: expected a whole number as value"),
        (HEADER.replace("real", "integer") + "3 4 1\n1 1 nan\n", "line 3: expected a whole number as value"),
        (
            HEADER.replace("real", "unsigned-integer") + "3 4 1\n1 1 -2\n",
            "expected a value that is not negative",
        ),
        (HEADER + "3 4 1\n" + "1" * 2**21, "a line of more than 1048576 bytes"),
        ("%%MatrixMarket" + " " * 2**21, "a line of more than 1048576 bytes"),
        ("version https://git-lfs.github.com/spec/v1\n", "found 'version https://git-lfs"),
        ("%%MatrixMarket matrix array pattern general\n1 1\n1\n", "cannot be 'pattern'"),
        ("%%MatrixMarket vector coordinate real general\n1 1\n1\n", "line 1: expected the banner"),
        (HEADER + "99999999999 4 1\n1 1 1\n", "each side of shape"),
        (HEADER + "99999999999999999999 4 1\n1 1 1\n", "read_matrix_market"),
        (
            "%%MatrixMarket matrix array real general\n100000 100000\n1\n",
            "the file has 1; it may be truncated",
        ),
        (EXAMPLE.replace("real", "complex"), "line 1: 'complex' is not supported"),
        (EXAMPLE.replace("coordinate", "array"), "read_matrix_market"),
        (b"\x00\xff" * 100, "read_matrix_market"),
    ],
)
def test_broken_files_are_value_errors(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(written(tmp_path, text))


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.mtx")


@settings(deadline=None)
@given(st.integers(0, len(EXAMPLE) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_mutations_are_read_or_refused_never_worse(
    tmp_path_factory: pytest.TempPathFactory, place: int, inserted: bytes, removed: int
) -> None:
    text = EXAMPLE.encode()
    path = written(tmp_path_factory.mktemp("mtx"), text[:place] + inserted + text[place + removed :])
    try:
        read_matrix_market(path).check()
    except ValueError as error:
        outcome = str(error)
    else:
        outcome = "read"
    assert outcome == "read" or outcome.startswith("read_matrix_market(")

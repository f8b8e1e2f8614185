"""Tables as text, and numbers as text."""

import pytest

from tamis.report import Cell, Column, Line, Table, duration, mib, percent, ratio, times, words


def test_a_table_prints_words_left_and_numbers_right() -> None:
    table = Table(
        [words("name"), Column("time", "ms"), words("why")],
        [["a", "1.5", ""], Line([Cell("longer"), Cell("12", 12.0), "because"], "best")],
    )
    assert str(table).splitlines() == [
        "name    time ms  why",
        "------  -------  -------",
        "a           1.5",
        "longer       12  because",
    ]


def test_a_table_without_rows_prints_its_header() -> None:
    assert str(Table(["a", "bc"], [])) == "a  bc\n-  --"


def test_rows_must_fit_the_columns() -> None:
    with pytest.raises(ValueError, match="row 1 has 3 cells, but there are 2 columns"):
        Table(["a", "b"], [["1", "2"], ["1", "2", "3"]])


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (times(2.4), "2.40×"),
        (times(9.994), "9.99×"),
        (times(9.995), "10.0×"),
        (times(123.4), "123.4×"),
        (percent(0.815), "81.5 %"),
        (percent(0.815, 0), "82 %"),
        (mib(3 * 2**20), "3.0"),
        (duration(12.34), "12.3 µs"),
        (duration(310.4), "310 µs"),
        (duration(12_000), "12.0 ms"),
        (duration(None), "–"),
        (ratio(None), "–"),
    ],
)
def test_numbers(made: str | Cell, text: str) -> None:
    assert (made.text if isinstance(made, Cell) else made) == text


def test_ratios_are_shaded_by_how_far_they_are_from_one() -> None:
    cells = [ratio(value) for value in (0.5, 0.9, 1.0, 2.0, 8.0, 100.0)]
    assert all(isinstance(cell, Cell) for cell in cells)
    assert [cell.shade for cell in cells if isinstance(cell, Cell)] == ["loss"] * 2 + ["gain"] * 4
    strengths = [cell.strength for cell in cells if isinstance(cell, Cell)]
    assert strengths[0] > strengths[1]
    assert strengths[2:] == sorted(strengths[2:])
    assert max(strengths) <= 1.0

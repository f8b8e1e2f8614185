"""Files of other orders and trimmed files; the rest of the CSV is tested on the SpMM suite's rows."""

from dataclasses import replace

import pytest

from tamis.bench.measurement import Machine, Measured, csv_rows

ROW = Measured(section="a", cell="c", contestant="x", median_us=12.34567, samples=9, cpu="a cpu", threads=2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.csv"


def test_columns_of_another_order_are_read_and_added_to(path):
    csv_rows.append(path, Measured, [ROW])
    header, line = (text.split(",") for text in path.read_text().splitlines())
    path.write_text(",".join(header[::-1]) + "\n" + ",".join(line[::-1]) + "\n")
    csv_rows.append(path, Measured, [replace(ROW, contestant="y")])
    assert csv_rows.read(path, Measured) == [
        replace(ROW, median_us=12.3457, contestant=name) for name in "xy"
    ]


def test_published_rows_come_back_with_four_digits_and_what_they_share(path):
    rows = [ROW, replace(ROW, contestant="y", median_us=98765.4)]
    csv_rows.publish(path, Measured, rows, ("section", "cell", "contestant", "median_us"), ("cpu", "threads"))
    assert path.read_text() == (
        "# cpu = a cpu\n# threads = 2\nsection,cell,contestant,median_us\na,c,x,12.35\na,c,y,98770\n"
    )
    back = csv_rows.read(path, Measured)
    assert [(row.median_us, row.cpu, row.threads, row.samples) for row in back] == [
        (12.35, "a cpu", 2, None),
        (98770.0, "a cpu", 2, None),
    ]


def test_rows_that_differ_share_nothing(path):
    with pytest.raises(ValueError, match="rows differ in cpu: a cpu, b cpu"):
        csv_rows.publish(path, Measured, [ROW, replace(ROW, cpu="b cpu")], ("cell",), ("cpu",))
    assert not path.exists()


def test_a_trimmed_file_is_not_added_to(path):
    csv_rows.publish(path, Measured, [ROW], ("section", "cell", "contestant"), ("cpu",))
    before = path.read_bytes()
    for attempt in (
        lambda: csv_rows.check_can_append(path, Measured),
        lambda: csv_rows.append(path, Measured, [ROW]),
    ):
        with pytest.raises(ValueError, match="Use a new file"):
            attempt()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "header", ["section,cell", "section,cell,contestant,cell", "section,cell,contestant,odd"]
)
def test_a_file_of_other_columns_is_refused(path, header):
    path.write_text(f"{header}\n")
    with pytest.raises(ValueError, match="columns differ"):
        csv_rows.read(path, Measured)


def test_a_number_that_is_none_is_named_by_its_line_below_what_is_shared(path):
    path.write_text("# threads = 2\nsection,cell,contestant,median_us\na,c,x,1\na,c,y,many\n")
    with pytest.raises(ValueError, match="line 4"):
        csv_rows.read(path, Measured)


def test_a_machine_fills_its_fields():
    row = ROW.on(Machine("cpu", "b cpu", "avx2", 3, "torch 2", "abc", 100.0))
    assert (row.device, row.cpu, row.isa, row.threads, row.peak_gflops) == ("cpu", "b cpu", "avx2", 3, 100.0)
    assert row.date.endswith("Z")
    assert row.median_us == ROW.median_us

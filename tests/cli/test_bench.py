"""``tamis bench spmm`` on a folder of two small patterns, as a user would run it; and which suites the other verbs start."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tamis.bench.spmm import grids as spmm_grids
from tamis.bench.spmm import rows
from tamis.bench.spmm.contestants import listed as contestants
from tamis.cli import bench
from tamis.cli.bench import app
from tamis.workloads import make_dlmc

pytest.importorskip("matplotlib", reason="extra tamis[bench]")


@pytest.fixture
def in_process(monkeypatch):
    """Without numba, which may bring a second OpenMP runtime into the test process."""
    few = tuple(c for c in contestants.ALL if c.name != "numba_csr")
    monkeypatch.setattr(spmm_grids, "FILE_CONTESTANTS", few)
    return few


def test_smtx_folder(tmp_path, in_process):
    make_dlmc(tmp_path / "in", shapes=[(32, 32)], sparsities=(0.5, 0.9), patterns=("4x1",))
    arguments = ["spmm", "--smtx", str(tmp_path / "in"), "-n", "8", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    (csv,) = (tmp_path / "out").glob("*.csv")
    assert len(rows.read(csv)) == 2 * len(in_process)
    assert all(row.status in ("ok", "unavailable") for row in rows.read(csv))
    assert csv.with_suffix(".html").exists()
    before = csv.read_bytes()
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert csv.read_bytes() == before


def test_no_time_at_all_is_told(tmp_path, in_process):
    make_dlmc(tmp_path / "in", shapes=[(32, 32)], sparsities=(0.5,), patterns=("4x1",))
    result = CliRunner().invoke(
        app, ["spmm", "--smtx", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--max-seconds", "0"]
    )
    assert result.exit_code == 1
    assert "more time" in result.output


@pytest.mark.parametrize(
    "arguments", [["spmm", "--quick", "--full"], ["spmm", "-n", "0"], ["spmm", "--device", "tpu"]]
)
def test_mistakes_are_usage_errors(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_an_absent_folder_is_told(tmp_path):
    result = CliRunner().invoke(app, ["spmm", "--smtx", str(tmp_path / "absent")])
    assert isinstance(result.exception, FileNotFoundError)


def test_all_suites_run_one_after_the_other(tmp_path, monkeypatch):
    called = []
    for suite in ("spmm", "voxel", "emotion"):
        monkeypatch.setattr(
            bench, suite, lambda *given, suite=suite, **options: called.append((suite, given, options))
        )
    out = ["-o", str(tmp_path)]
    assert CliRunner().invoke(app, ["all", "--quick", *out]).exit_code == 0
    size = {"quick": True, "full": False, "out": tmp_path}
    assert called == [("spmm", (), size), ("voxel", (), size)]
    given = ["--recogniser", "run", "--recording", "call.wav"]
    assert CliRunner().invoke(app, ["all", *out, *given]).exit_code == 0
    assert called[-1] == ("emotion", (Path("run"), Path("call.wav")), {"out": tmp_path})
    assert CliRunner().invoke(app, ["all", *out, *given[:2]]).exit_code == 2


def test_emotion_leaves_a_row_per_figure(tmp_path, monkeypatch):
    pandas = pytest.importorskip("pandas", reason="extra tamis[emotion]")
    predict = pytest.importorskip("tamis.bench.emotion", reason="extra tamis[emotion]")
    table = pandas.DataFrame({"what": ["load"], "seconds": [0.5], "times_real_time": [None], "threads": [2]})
    monkeypatch.setattr(predict, "measure", lambda recogniser, recording: table)
    result = CliRunner().invoke(app, ["emotion", "run", "call.wav", "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "emotion_predict.csv").read_text().startswith("what,seconds")

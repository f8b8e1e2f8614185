"""Training steps as rows: right gradients, three contestants a cell, a wrong gradient is never timed."""

import pytest
from typer.testing import CliRunner

from tamis.bench.measurement.machine import Machine
from tamis.bench.spmm import read, training
from tamis.bench.spmm.__main__ import main
from tamis.cli.main import app
from tamis.tuning import Timing

MACHINE = Machine("cpu", "a cpu", "avx2", 1, "torch 2", "abc", 100.0)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(training, "this_machine", lambda: MACHINE)
    monkeypatch.setattr(
        training, "time_interleaved", lambda calls, **_: {name: _timing(call) for name, call in calls.items()}
    )


def _timing(call):
    call()
    return Timing(2000.0, 1900.0, 2100.0, 5, 5, 1, 2500.0)


def test_three_rows_a_cell_and_what_they_count(tmp_path, monkeypatch):
    found, path = training.run(tmp_path, lambda _: None, shapes=((32, 48),), sparsities=(0.75,), tokens=(10,))
    dense, step, alone = found
    assert [row.contestant for row in found] == ["dense_step", "tamis_step", "tamis_sddmm"]
    assert {row.nnz for row in found} == {384}
    assert dense.gflops == pytest.approx(3 * 2 * 32 * 48 * 10 / 2e6)
    assert step.gflops == pytest.approx(3 * 2 * 384 * 10 / 2e6)
    assert alone.gflops == pytest.approx(2 * 384 * 10 / 2e6)
    assert step.speedup == 1.0
    assert 0 < step.max_error <= step.tolerance
    assert path.name == "spmm_training_cpu_avx2_1t.csv"
    assert [row.contestant for row in read(path)] == [row.contestant for row in found]
    monkeypatch.setattr("sys.argv", ["", str(path), "-o", str(tmp_path / "published")])
    main()
    published = tmp_path / "published" / path.name
    assert published.read_text().startswith("# device = cpu\n# cpu = a cpu\n")
    assert [row.speedup for row in read(published)] == [None, 1.0, None]


def test_a_wrong_gradient_is_not_timed(monkeypatch):
    right = training.step
    monkeypatch.setattr(training, "step", lambda *given: [g * 1.001 for g in right(*given)])
    with pytest.raises(ValueError, match=r"16x16_.*, 4 tokens: gradients err by 1\.0e-03"):
        list(training.measure(training.Spec(16, 16, 0.5), 4, MACHINE))


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SHAPES", ((16, 16),))
    monkeypatch.setattr(training, "SPARSITIES", (0.5,))
    monkeypatch.setattr(training, "TOKENS", (4, 8))
    result = CliRunner().invoke(app, ["bench", "spmm", "--training", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "16 x 16" in result.output
    assert len(read(tmp_path / "spmm_training_cpu_avx2_1t.csv")) == 6

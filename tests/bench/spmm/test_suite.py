"""The suite: resumes where it was killed, stops in time, reads .smtx folders."""

import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tamis.bench.measurement.machine import Machine
from tamis.bench.spmm import grids as spmm_grids
from tamis.bench.spmm import rows
from tamis.bench.spmm import suite as spmm
from tamis.bench.spmm.cell import Cell
from tamis.bench.spmm.contestants.listed import DENSE, ROLES
from tamis.bench.spmm.grids import Job
from tamis.bench.spmm.suite import Options
from tamis.workloads import make_dlmc

MACHINE = Machine("cpu", "a cpu", "avx2", 1, "torch 2", "abc", 100.0)


def tiny_jobs(made: list[str]) -> list[Job]:
    """Two matrices, two lengths, dense only; ``made`` records which matrices were generated."""

    def job(name: str) -> Job:
        cells = tuple(Cell("grid", name, "unstructured", "magnitude", 0.5, n, n) for n in (2, 4))
        return Job(lambda: made.append(name) or torch.eye(8), cells, DENSE)

    return [job("first"), job("second")]


@pytest.fixture
def made(monkeypatch):
    made: list[str] = []
    monkeypatch.setattr(spmm, "_planned", lambda options: tiny_jobs(made))
    monkeypatch.setattr(spmm, "this_machine", lambda: MACHINE)
    monkeypatch.setattr(spmm, "_SHARE_S", {"quick": 1e-3, "default": 1e-3, "full": 1e-3})
    return made


def test_a_run_and_the_same_again(made, tmp_path):
    seen = []
    outcome = spmm.run(Options("quick", tmp_path), progress=seen.append)
    assert (len(outcome.rows), outcome.missing) == (8, 0)
    assert rows.read(outcome.csv_path) == outcome.rows or len(rows.read(outcome.csv_path)) == 8
    assert [(step.done, step.total) for step in seen] == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    before = outcome.csv_path.read_bytes()
    again = spmm.run(Options("quick", tmp_path), progress=seen.append)
    assert made == ["first", "second"]
    assert (len(again.rows), again.missing) == (8, 0)
    assert seen[-1].resumed == 4
    assert outcome.csv_path.read_bytes() == before


def test_an_incomplete_cell_is_measured_again(made, tmp_path):
    path = spmm.run(Options("quick", tmp_path)).csv_path
    rows.replace(path, rows.read(path)[:-1])
    made.clear()
    outcome = spmm.run(Options("quick", tmp_path))
    assert made == ["second"]
    assert len(outcome.rows) == len(rows.read(path)) == 8


def test_a_torn_line_is_measured_again(made, tmp_path):
    path = spmm.run(Options("quick", tmp_path)).csv_path
    path.write_bytes(path.read_bytes()[:-20])
    outcome = spmm.run(Options("quick", tmp_path))
    assert (len(outcome.rows), outcome.missing) == (8, 0)
    assert len(rows.read(path)) == 8


def test_time_runs_out_and_the_next_call_goes_on(made, tmp_path):
    options = Options("quick", tmp_path, max_seconds=0.0)
    assert spmm.run(options).missing == 4
    assert made == []
    assert spmm.run(replace(options, max_seconds=None)).missing == 0


def test_fresh_begins_anew(made, tmp_path):
    spmm.run(Options("quick", tmp_path))
    outcome = spmm.run(Options("quick", tmp_path, fresh=True))
    assert made == ["first", "second"] * 2
    assert len(rows.read(outcome.csv_path)) == 8


def test_rows_of_another_machine_stay_and_do_not_count(made, tmp_path):
    path = spmm.run(Options("quick", tmp_path)).csv_path
    others = [replace(row, cpu="another cpu") for row in rows.read(path)]
    rows.replace(path, others)
    outcome = spmm.run(Options("quick", tmp_path))
    assert {row.cpu for row in outcome.rows} == {"a cpu"}
    assert len(rows.read(path)) == 16


KILLED = """
    import os, sys
    from pathlib import Path
    import torch
    from tamis.bench.spmm import suite as spmm
    from tamis.bench.spmm.cell import Cell
    from tamis.bench.spmm.contestants.listed import DENSE
    from tamis.bench.spmm.grids import Job

    def job(name, make):
        cells = tuple(Cell("grid", name, "unstructured", "magnitude", 0.5, n, n) for n in (2, 4))
        return Job(make, cells, DENSE)

    def die():
        os.kill(os.getpid(), 9)

    spmm._planned = lambda options: [job("first", lambda: torch.eye(8)), job("second", die)]
    spmm._SHARE_S = {"quick": 1e-3}
    spmm.run(spmm.Options("quick", Path(sys.argv[1])))
"""


def test_killed_with_signal_9_and_resumed(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(textwrap.dedent(KILLED))
    killed = subprocess.run([sys.executable, script, tmp_path], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    (path,) = tmp_path.glob("spmm_*.csv")
    assert len(rows.read(path)) == 4
    script.write_text(textwrap.dedent(KILLED).replace("os.kill(os.getpid(), 9)", "return torch.eye(8)"))
    before = path.read_text()
    subprocess.run([sys.executable, script, tmp_path], check=True, capture_output=True)
    assert path.read_text().startswith(before)  # measured cells were left alone
    assert len(rows.read(path)) == 8


def test_smtx_folders_replace_the_grid(tmp_path):
    make_dlmc(tmp_path / "dlmc", shapes=[(32, 16)], sparsities=(0.5,), patterns=("unstructured", "4x1"))
    options = Options(smtx=(tmp_path / "dlmc",), lengths=(1, 8))
    jobs = list(spmm._planned(options))
    cells = [cell for job in jobs for cell in job.cells]
    assert [cell.section for cell in cells] == ["files"] * 6
    assert {(cell.pattern, cell.target, cell.n) for cell in cells} == {
        (pattern, 0.5, n) for pattern in ("unstructured", "4x1") for n in (1, 8)
    }
    assert jobs[0].make().shape == (32, 16)
    assert "files" in options.csv_path(MACHINE).name


@pytest.mark.parametrize("grid", ["quick", "default", "full"])
def test_grids_are_consistent(grid):
    jobs = spmm_grids.jobs(grid)
    cells = [(cell.section, cell.key) for job in jobs for cell in job.cells]
    assert len(set(cells)) == len(cells)
    assert all(contestant.name in ROLES for job in jobs for contestant in job.contestants)
    sections = {cell.section for job in jobs for cell in job.cells} - {"choice", "choice again"}
    assert sections == {"grid", "lengths", "decode"}


def test_the_full_grid_holds_the_cells_of_the_goal():
    cells = {
        (cell.matrix.split("_")[0], cell.n, cell.pattern, cell.target)
        for job in spmm_grids.jobs("full")
        for cell in job.cells
        if cell.section == "grid"
    }
    shapes = (
        "512x512",
        "2048x512",
        "512x2048",
        "1024x1024",
        "3072x768",
        "768x3072",
        "4096x1024",
        "4096x4096",
    )
    for shape in shapes:
        for n in (64, 128, 256, 512):
            for sparsity in (0.3, 0.5, 0.7, 0.8, 0.9, 0.95):
                assert (shape, n, "unstructured", sparsity) in cells
            for pattern in ("4x1", "8x1", "16x16"):
                for sparsity in (0.5, 0.7, 0.8, 0.9, 0.95):
                    assert (shape, n, pattern, sparsity) in cells
            assert (shape, n, "2:4", 0.5) in cells


def test_default_options_leave_no_machine_path():
    assert Options().csv_path(MACHINE) == Path("tamis-bench/spmm_default_cpu_avx2_1t.csv")

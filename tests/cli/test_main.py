"""The command line as its user meets it: as a program."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tamis
from tamis.cli.main import VERBS
from tamis.kernels.cpu import native
from tamis.tuning import path_for


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from tamis.cli.main import main; sys.argv[0] = 'tamis'; main()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "120", **environment}
    )


def test_help_lists_every_verb_and_imports_none() -> None:
    ended = run("--help")
    assert ended.returncode == 0
    assert all(f"  {verb} " in ended.stdout for verb in VERBS)
    assert run().stdout == ended.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    ended = run(verb, "--help")
    assert ended.returncode == 0, ended.stderr
    assert "Usage: tamis" in ended.stdout


def test_version() -> None:
    assert run("--version").stdout.strip() == f"tamis {tamis.__version__}"


def test_unknown_verb_is_an_error() -> None:
    ended = run("fly")
    assert ended.returncode == 2
    assert "No such command 'fly'" in ended.stderr


def test_doctor_tells_what_runs() -> None:
    text = run("doctor", TAMIS_CPU_ISA="baseline").stdout
    assert "baseline in use, forced by TAMIS_CPU_ISA" in text
    assert torch.__version__ in text


def test_explain_reads_saved_matrices(tmp_path: Path) -> None:
    saved, pattern = tmp_path / "w.safetensors", tmp_path / "w.smtx"
    tamis.save(tamis.CSR.from_dense(torch.eye(64)), saved)
    pattern.write_text("2, 3, 2\n0 1 2\n0 2\n")
    for file in (saved, pattern):
        ended = run("explain", str(file), "--n", "32")
        assert ended.returncode == 0, ended.stderr
        assert "cpu/spmm_csr" in ended.stdout
        assert "wins" in ended.stdout
    assert "measured" in run("explain", str(saved), "--n", "32", "--measure").stdout


def test_a_damaged_file_is_one_sentence_not_a_traceback(tmp_path: Path) -> None:
    bad = tmp_path / "bad.smtx"
    bad.write_text("2, 3, 9\n0 1 2\n0 2\n")
    ended = run("explain", str(bad))
    assert ended.returncode == 2
    assert ended.stderr.startswith("tamis: ")
    assert "Traceback" not in ended.stderr


def test_tune_keeps_constants_that_plans_then_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMIS_TUNING", str(tmp_path))
    path_for(native().isa(), 1).write_text("{")  # damaged: tuning again is the cure that the error names
    ended = run("tune", TAMIS_TUNING=str(tmp_path), OMP_NUM_THREADS="1")
    assert ended.returncode == 0, ended.stderr
    (kept,) = tmp_path.glob("*.json")
    code = "import torch, tamis; print(tamis.plan_spmm(tamis.CSR.from_dense(torch.eye(8)), 8).reason)"
    environment = {**os.environ, "TAMIS_TUNING": str(tmp_path), "OMP_NUM_THREADS": "1"}
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    ).stdout
    assert said.strip() == "cost model, tuned on this machine"
    kept.write_text(kept.read_text()[:40])
    broken = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "is damaged or old" in broken.stderr

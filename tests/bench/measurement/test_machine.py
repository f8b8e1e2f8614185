"""What a run says about where it ran."""

import os
import subprocess
import sys

import torch

from tamis.bench.measurement import machine
from tamis.tuning import device_name


def test_this_machine():
    found = machine.this_machine()
    assert found.threads == torch.get_num_threads()
    assert f"torch {torch.__version__}" in found.versions
    assert found.peak_gflops > 1
    assert found.isa != "none"


def test_cpu_names(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "processor\t: 0\nmodel name\t: A CPU\ncpu family\t: 26\nmodel\t\t: 2\n\nmodel name\t: other\n"
    )
    assert machine.cpu_name(cpuinfo) == f"{device_name()} (family 26, model 2)"
    assert machine.cpu_name(tmp_path / "absent") == device_name()


def test_the_fingerprint_follows_the_code(tmp_path):
    (tmp_path / "ops").mkdir()
    file = tmp_path / "ops" / "spmm.py"
    file.write_text("a = 1\n")
    before = machine.fingerprint(tmp_path)
    assert before == machine.fingerprint(tmp_path)
    file.write_text("a = 2\n")
    assert machine.fingerprint(tmp_path) != before
    assert len(before) == 12


def test_absent_packages_are_named():
    assert machine._version("no-such-distribution") == "absent"


def test_the_instruction_set_is_the_one_that_was_asked_for():
    code = "from tamis.bench.measurement import this_machine; print(this_machine().isa)"
    environment = {**os.environ, "TAMIS_CPU_ISA": "baseline"}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert ended.stdout == "baseline\n", ended.stderr

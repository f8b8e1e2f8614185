"""Constants of a machine: tuned before shipped, and what an old tuning lacks."""

import dataclasses
from pathlib import Path

import pytest

from tamis.tuning.machines import SHIPPED, machine_for
from tamis.tuning.store import forget_machine, save_machine


def test_a_tuning_older_than_a_kernel_leaves_it_its_shipped_prices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAMIS_TUNING", str(tmp_path))
    shipped = SHIPPED["avx2"]
    tuned = {"cpu/spmm_csr": dataclasses.replace(shipped.kernels["cpu/spmm_csr"], fma=9.0)}
    save_machine(dataclasses.replace(shipped, kernels=tuned, source="tuned on this machine"), "avx2", 3)
    machine = machine_for("avx2", 3)
    assert machine.source == "tuned on this machine"
    assert machine.kernels == shipped.kernels | tuned
    assert machine.kernels["cpu/spmm_csr"].fma == 9.0
    forget_machine("avx2", 3)
    assert machine_for("avx2", 3) is shipped

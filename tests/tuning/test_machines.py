"""Constants of a machine: tuned before shipped, and what an old tuning lacks."""

import dataclasses
from pathlib import Path

import pytest
import torch

import tamis
from tamis.kernels.cpu import native
from tamis.ops.spmm import KERNELS
from tamis.tuning import SHIPPED, forget_machine, machine_for, save_machine


def test_a_tuning_is_seen_in_its_own_process_and_leaves_a_newer_kernel_its_shipped_prices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAMIS_TUNING", str(tmp_path))
    isa, threads = native().isa(), torch.get_num_threads()
    a = tamis.CSR.from_dense(torch.ones(64, 64))
    before = tamis.plan_spmm(a, 64)
    prices = dict.fromkeys(KERNELS[0].prices[isa], 1000.0)
    tuned = dataclasses.replace(
        SHIPPED[isa], kernels={"cpu/spmm_csr": prices}, source="tuned on this machine"
    )
    save_machine(tuned, isa, threads)
    assert machine_for(isa, threads) == tuned
    after = tamis.plan_spmm(a, 64, kernel="cpu/spmm_csr")
    assert after.time_us > 100 * before.time_us
    windows = "cpu/spmv_window"
    assert tamis.plan_spmm(a, 64, kernel=windows).time_us == next(
        c.time_us for c in before.candidates if c.kernel == windows
    )
    forget_machine(isa, threads)
    assert machine_for(isa, threads) is SHIPPED[isa]
    assert tamis.plan_spmm(a, 64).time_us == before.time_us


def test_every_kernel_has_prices_for_every_instruction_set() -> None:
    for kernel in KERNELS:
        assert set(kernel.prices) == set(SHIPPED)

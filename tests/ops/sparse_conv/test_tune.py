"""Measured prices: one for every kernel and kind of work, and plans that use them."""

from dataclasses import replace

import pytest
import torch

from tamis import voxel
from tamis.kernels.cpu import isa
from tamis.ops.sparse_conv import DATAFLOWS, KERNELS, plan_conv, tune_sparse_conv
from tamis.tuning import machine_for, save_machine


@pytest.fixture
def street_map():
    coords = torch.randint(0, 14, (900, 4), generator=torch.Generator().manual_seed(0))
    coords[:, 0] = 0
    return voxel.kernel_map(coords.unique(dim=0).int(), 3)


def test_every_kernel_gets_a_price_for_every_kind_of_its_work(monkeypatch, street_map):
    monkeypatch.setattr("tamis.ops.sparse_conv.tune.CHANNELS", ((8, 8), (32, 32)))
    threads, seen = torch.get_num_threads(), []
    prices = tune_sparse_conv(lambda what, done, total: seen.append(what))
    assert torch.get_num_threads() == threads
    assert seen == list(prices) == [kernel.name for kernel in KERNELS]
    for kernel, dataflow in zip(KERNELS, DATAFLOWS, strict=True):
        kinds = kernel.work(plan_conv(street_map, 8, 8, dataflow=dataflow).problem).amounts
        assert prices[kernel.name].keys() == kinds.keys()
        assert all(price >= 0 for price in prices[kernel.name].values())
        assert any(price > 0 for price in prices[kernel.name].values())


def test_plans_use_the_prices_that_are_stored(monkeypatch, tmp_path, street_map):
    monkeypatch.setenv("TAMIS_TUNING", str(tmp_path))
    before = plan_conv(street_map, 16, 16)
    assert before.reason == "cost model, shipped constants"
    machine = machine_for(isa(), torch.get_num_threads())
    dear = {"cpu/sparse_conv_blocked": {"mac": 1000.0, "pair": 0.0}}
    save_machine(
        replace(machine, kernels={**machine.kernels, **dear}, source="tuned on this machine"),
        isa(),
        torch.get_num_threads(),
    )
    after = plan_conv(street_map, 16, 16)
    assert after.reason == "cost model, tuned on this machine"
    assert after.times_us["blocked"] > 100 * before.times_us["blocked"]
    assert after.kernel == "cpu/sparse_conv_blocked"  # reference code is never chosen, however cheap
    assert after.times_us["weight_stationary"] < after.times_us["blocked"]

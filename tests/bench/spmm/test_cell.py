"""One cell: who is timed, who is refused, in which block, and what the rows say."""

from dataclasses import replace
from math import inf

import pytest
import torch

from tamis.bench.measurement import Machine, Unavailable
from tamis.bench.spmm import cell as cell_module
from tamis.bench.spmm.cell import Cell, breakeven_calls, run_cell
from tamis.bench.spmm.contestants import Contestant, Prepared
from tamis.bench.spmm.contestants.peers import dense_linear, dense_mm
from tamis.bench.spmm.contestants.prepared import as_is
from tamis.workloads import Spec, describe, generate

MACHINE = Machine("cpu", "a cpu", "avx2", 1, "torch 2", "abc", 100.0)
CELL = Cell("grid", "a", "unstructured", "magnitude", 0.5, 8, 8)
DENSE = (Contestant("dense_mm", dense_mm, "dense"), Contestant("dense_linear", dense_linear, "dense"))


@pytest.fixture
def weight():
    return generate(Spec(32, 64, 0.5))


def measure(weight, *contestants, cell=CELL):
    rows = run_cell(cell, weight, describe(weight), contestants, MACHINE, share_s=0.002)
    assert [row.contestant for row in rows] == [contestant.name for contestant in contestants]
    return {row.contestant: row for row in rows}


def right(operands, planned_n, **facts):
    a, b = operands.weight, operands.b
    defaults = {"stored": a.numel(), "streamed_bytes": a.nbytes, "resident_bytes": a.nbytes, "pack_us": 10.0}
    return Prepared(lambda: a @ b, as_is, **{**defaults, **facts})


def test_dense_rows(weight):
    rows = measure(weight, *DENSE)
    for row in rows.values():
        assert (row.status, row.block, row.cell) == ("ok", "torch", "a_n8_warm")
        assert row.dense_us == min(other.median_us for other in rows.values())
        assert row.speedup == pytest.approx(row.dense_us / row.median_us)
        assert row.gflops == pytest.approx(2 * 32 * 64 * 8 / row.median_us / 1e3)
        assert row.flops == 2 * 32 * 64 * 8
        assert row.bytes_moved == 4 * (32 * 64 + 64 * 8 + 32 * 8)
        assert row.max_error <= row.tolerance
        assert row.q1_us <= row.median_us <= row.q3_us
    assert max(row.speedup for row in rows.values()) == 1.0


def test_facts_of_machine_and_matrix_reach_the_row(weight):
    row = measure(weight, *DENSE)["dense_mm"]
    assert (row.m, row.k, row.n, row.nnz, row.target) == (32, 64, 8, 1024, 0.5)
    assert (row.cpu, row.isa, row.threads, row.versions, row.build) == ("a cpu", "avx2", 1, "torch 2", "abc")
    assert (row.dtype, row.peak_gflops) == ("float32", 100.0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c * (1 + 1e-3),
        lambda c: torch.cat([c[1:], c[:1]]),
        lambda c: c.masked_fill(torch.eye(*c.shape, dtype=torch.bool), torch.nan),
        lambda c: c.T,
        lambda c: torch.zeros_like(c),
    ],
    ids=["scaled", "rows moved", "a NaN", "transposed", "nothing computed"],
)
def test_a_wrong_contestant_is_not_timed(weight, spoil):
    calls = []

    def wrong(operands, planned_n):
        a, b = operands.weight, operands.b

        def run():
            calls.append(1)
            return spoil(a @ b)

        return replace(right(operands, planned_n), run=run)

    row = measure(weight, *DENSE, Contestant("wrong", wrong, "peer"))["wrong"]
    assert (row.status, row.median_us, row.speedup) == ("refused", None, None)
    assert row.max_error > row.tolerance
    assert "not timed" in row.note
    assert len(calls) == 1


def test_who_cannot_take_part_says_why(weight):
    def absent(operands, planned_n):
        raise Unavailable("not installed")

    def broken(operands, planned_n):
        raise RuntimeError("not implemented for Half")

    rows = measure(weight, *DENSE, Contestant("absent", absent, "peer"), Contestant("broken", broken, "peer"))
    assert (rows["absent"].status, rows["absent"].note) == ("unavailable", "not installed")
    assert (rows["broken"].status, rows["broken"].note) == (
        "failed",
        "RuntimeError: not implemented for Half",
    )


def test_a_bug_of_the_bench_is_not_a_row(weight):
    def buggy(operands, planned_n):
        raise AttributeError

    with pytest.raises(AttributeError):
        measure(weight, *DENSE, Contestant("buggy", buggy, "peer"))


def test_plans_are_made_for_the_planned_length(weight):
    seen = []

    def planner(operands, planned_n):
        seen.append((operands.n, planned_n))
        return right(operands, planned_n)

    row = measure(weight, *DENSE, Contestant("p", planner, "ours"), cell=replace(CELL, planned_n=128))["p"]
    assert seen == [(8, 128)]
    assert (row.planned_n, row.cell) == (128, "a_n8_planned128_warm")


def test_cold_calls_cycle_through_copies(weight, monkeypatch):
    monkeypatch.setattr(cell_module, "COLD_BYTES", 3 * weight.nbytes)
    used = []

    def tracked(operands, planned_n):
        prepared = right(operands, planned_n)
        return replace(prepared, run=lambda: used.append(operands.weight.data_ptr()) or prepared.run())

    row = measure(weight, Contestant("t", tracked, "ours"), cell=replace(CELL, cache="cold"))["t"]
    assert row.cache == "cold"
    gated, once, turns = used[0], used[1:4], used[4:]
    assert gated not in once
    assert len(set(once)) == 3
    assert turns[:3] == once


def test_without_a_baseline_there_is_no_speedup(weight):
    row = measure(weight, Contestant("lonely", right, "ours"))["lonely"]
    assert row.median_us > 0
    assert (row.dense_us, row.speedup, row.breakeven_calls) == (None, None, None)


def test_an_all_zero_matrix_is_measured():
    row = measure(torch.zeros(16, 16), *DENSE)["dense_mm"]
    assert (row.status, row.nnz, row.sparsity) == ("ok", 0, 1.0)


def test_breakeven():
    assert breakeven_calls(100.0, 5.0, 15.0) == 10.0
    assert breakeven_calls(100.0, 15.0, 15.0) == inf
    assert breakeven_calls(100.0, 20.0, 15.0) == inf
    assert breakeven_calls(None, 5.0, 15.0) is None
    assert breakeven_calls(1.0, 5.0, None) is None

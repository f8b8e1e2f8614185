"""Summary arithmetic, on rows made by hand."""

from math import inf

import pytest

from tamis.bench.spmm.results import summary
from tamis.bench.spmm.results.summary import (
    Crossover,
    Spread,
    cell_results,
    crossover,
    crossover_errors,
    regrets,
)

ROLES = {
    "dense_mm": "dense",
    "dense_onednn": "packed dense",
    "tamis_spmm": "ours",
    "tamis_linear": "ours",
    "tamis_on_spmm_csr": "ours on one kernel",
    "tamis_on_spmv_window": "ours on one kernel",
    "mkl_csr": "peer",
    "numba_csr": "peer",
}


def test_spread():
    found = Spread.of([1.0, 2.0, 4.0, 8.0, 16.0])
    assert (found.count, found.min, found.q1, found.median, found.q3) == (5, 1.0, 2.0, 4.0, 8.0)
    assert found.geomean == pytest.approx(4.0)
    assert Spread.of([3.0]) == Spread(1, pytest.approx(3.0), 3.0, 3.0, 3.0, 3.0)


@pytest.mark.parametrize("values", [[], [1.0, 0.0], [inf], [float("nan")], [-1.0]])
def test_spread_of_nonsense_is_an_error(values):
    with pytest.raises(ValueError, match="positive finite"):
        Spread.of(values)


def test_the_best_peer_counts_against_its_own_dense(row):
    """numba ran in a block where dense was slower: its speed is taken relative to that."""
    cell = [
        row("dense_mm", median_us=1500.0, speedup=1.0),
        row("dense_onednn", median_us=750.0, speedup=2.0),
        row("tamis_spmm", median_us=500.0, speedup=3.0),
        row("tamis_linear", median_us=550.0, speedup=2.7),
        row("mkl_csr", median_us=2000.0, speedup=0.75),
        row("numba_csr", median_us=1600.0, dense_us=2000.0, speedup=1.25),
    ]
    (result,) = cell_results(cell, ROLES)
    assert (result.vs_dense, result.best_peer) == (3.0, "numba_csr")
    assert result.vs_peer == pytest.approx(3.0 / 1.25)
    assert result.linear_vs_spmm == pytest.approx(1.1)
    assert result.vs_packed == pytest.approx(1.5)


def test_refused_rows_do_not_count(row):
    refused = row("mkl_csr", status="refused", median_us=None, speedup=None)
    (result,) = cell_results([row(), refused], ROLES)
    assert (result.vs_peer, result.best_peer, result.vs_packed, result.linear_vs_spmm) == (
        None,
        "",
        None,
        None,
    )
    assert cell_results([row(status="refused", speedup=None, median_us=None)], ROLES) == []


def results(row, *speedups, **fields):
    made = [
        row(cell=f"c{index}", speedup=speedup, **{name: values[index] for name, values in fields.items()})
        for index, speedup in enumerate(speedups)
    ]
    return cell_results(made, ROLES)


def test_groups(row):
    found = results(row, 2.0, 8.0, 1.5, target=(0.8, 0.8, 0.5))
    table = summary.grouped(found, lambda r: r.target, lambda result: result.vs_dense)
    assert list(table) == [0.5, 0.8]
    assert (table[0.8].count, table[0.8].geomean, table[0.8].min) == (2, pytest.approx(4.0), 2.0)
    assert summary.grouped(found, lambda r: r.target, lambda result: result.vs_peer) == {}


def test_keys_sort_as_numbers(row):
    found = results(row, 2.0, 2.0, 2.0, n=(64, 512, 128))
    assert list(summary.grouped(found, lambda r: (r.pattern, r.n), lambda result: result.vs_dense)) == [
        ("unstructured", 64),
        ("unstructured", 128),
        ("unstructured", 512),
    ]


def test_patterns_sort_in_the_houses_order(row):
    found = results(row, *[2.0] * 5, pattern=("zigzag", "16x16", "4x1", "unstructured", "8x1"))
    table = summary.grouped(found, lambda r: r.pattern, lambda result: result.vs_dense)
    assert list(table) == ["unstructured", "4x1", "8x1", "16x16", "zigzag"]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(0.5, 0.5), (0.7, 2.0)], Crossover(pytest.approx(0.6))),  # symmetric on the log scale
        ([(0.7, 2.0), (0.5, 0.5)], Crossover(pytest.approx(0.6))),
        ([(0.5, 0.5), (0.7, 4.0)], Crossover(pytest.approx(0.5 + 0.2 / 3))),
        ([(0.3, 1.2), (0.5, 0.5), (0.7, 2.0)], Crossover(pytest.approx(0.6))),  # what counts is staying ahead
        ([(0.5, 1.1), (0.7, 2.0)], Crossover(0.5, at_most=True)),
        ([(0.5, 0.5), (0.7, 1.0)], Crossover(pytest.approx(0.7))),
        ([(0.5, 2.0), (0.7, 0.9)], Crossover(None)),
        ([], Crossover(None)),
    ],
)
def test_crossover(points, expected):
    assert crossover(points) == expected


def test_crossovers_by_shape(row):
    found = results(row, 0.5, 2.0, 3.0, sparsity=(0.5, 0.7, 0.7), k=(64, 64, 128))
    assert summary.crossovers(found) == {(1024, 64, 128): Crossover(pytest.approx(0.6))}


def test_foreign_plan_cost(row):
    found = results(row, 4.0, 2.0, 3.0, 3.0, n=(64, 64, 7, 7), planned_n=(64, 128, 7, 128))
    assert summary.foreign_plan_cost(found) == {(7, 128): pytest.approx(1.0), (64, 128): pytest.approx(2.0)}


def test_packing(row):
    found = results(row, 2.0, 2.0, 0.5, pack_us=(100.0, 300.0, 200.0), breakeven_calls=(2.0, 4.0, inf))
    table = summary.packing(found, lambda r: r.pattern)
    assert table["unstructured"] == summary.Packing(200.0, 3.0, pytest.approx(1 / 3))
    never = results(row, 0.5, pack_us=(100.0,), breakeven_calls=(inf,))
    assert summary.packing(never, lambda r: r.pattern)["unstructured"] == summary.Packing(100.0, None, 1.0)


def test_losses_are_worst_first_and_from_the_limit_up(row):
    found = results(row, 0.9, 0.5, 0.3, 2.0, sparsity=(0.5, 0.6, 0.3, 0.7))
    assert [r.vs_dense for r in summary.losses(found, 0.4)] == [0.5, 0.9]


def test_trust(row):
    found = summary.trust(
        [row(spread=0.1, waiting=0.0), row(spread=0.3, waiting=0.5), row(spread=None, waiting=None)]
    )
    assert found == summary.Trust(2, pytest.approx(0.2), 0.5)
    assert summary.trust([]) is None


def test_not_timed(row):
    out = [row("mkl_csr", status="unavailable", note="absent")] * 2 + [row()]
    assert summary.not_timed(out) == {("mkl_csr", "unavailable", "absent"): 2}


def test_regret_finds_the_best_in_one_pass_and_reads_times_in_the_other(row):
    times = {
        "choice": {"cpu/spmm_csr": 10.0, "cpu/spmv_window": 8.0},
        "choice again": {"cpu/spmm_csr": 12.0, "cpu/spmv_window": 10.0},
    }
    rows = [
        row(
            "tamis_on_" + kernel.removeprefix("cpu/"),
            section=section,
            n=1,
            median_us=us,
            detail=f"{kernel}: x",
        )
        for section, by_kernel in times.items()
        for kernel, us in by_kernel.items()
    ]
    chosen = row(section="choice", n=1, detail="cpu/spmm_csr: cost model")
    assert regrets([*rows, chosen], ROLES) == pytest.approx([1.2])
    assert regrets([*rows[:2], chosen], ROLES) == []


def test_crossover_errors_are_predicted_less_measured(row):
    found = [
        row(cell=f"s{s}", sparsity=s, speedup=speed, predicted_crossover=0.5)
        for s, speed in ((0.4, 0.5), (0.6, 2))
    ]
    assert crossover_errors(cell_results(found, ROLES)) == pytest.approx([0.0], abs=1e-9)

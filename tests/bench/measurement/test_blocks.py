"""Time blocks, on a timer that returns what the test says."""

import pytest

from tamis.bench.measurement import blocks
from tamis.bench.measurement.blocks import Entrant, time_blocks
from tamis.tuning import Timing


@pytest.fixture
def timer(monkeypatch):
    """`timer.says(name, (median_us, waiting), …)`: what each timing of `name` finds; `timer.log`: who was timed together."""

    class Timer:
        def __init__(self):
            self.log, self.script = [], {}

        def says(self, name, *findings):
            self.script[name] = list(findings)

        def __call__(self, calls, *, budget_s):
            self.log.append((list(calls), budget_s))
            return {name: self.next(name) for name in calls}

        def next(self, name):
            findings = self.script.get(name, [(10.0, 0.0)])
            median_us, waiting = findings.pop(0) if len(findings) > 1 else findings[0]
            return Timing(median_us, median_us, median_us, 9, 9, 1, median_us, waiting)

    timer = Timer()
    monkeypatch.setattr(blocks, "time_interleaved", timer)
    return timer


def entrant(name, is_baseline=False, pool="torch"):
    return Entrant(name, lambda: None, pool, is_baseline)


def test_own_pools_come_after_the_shared_one_with_the_baseline_beside(timer):
    entrants = [
        entrant("mm", is_baseline=True),
        entrant("alone", pool="own"),
        entrant("linear", is_baseline=True),
        entrant("shared"),
    ]
    timer.says("mm", (100.0, 0.0), (110.0, 0.0))
    timer.says("linear", (105.0, 0.0), (108.0, 0.0))
    timed = {found.name: found for found in time_blocks(entrants, 0.1)}
    assert timer.log == [
        (["mm", "linear", "shared"], pytest.approx(0.3)),
        (["alone"], 0.1),
        (["mm", "linear"], 0.2),
    ]
    assert (timed["shared"].block, timed["shared"].baseline_us) == ("torch", 100.0)
    assert (timed["alone"].block, timed["alone"].baseline_us, timed["alone"].note) == ("alone", 108.0, "")
    assert timed["mm"].timing.median_us == 100.0  # the one of torch's block


@pytest.mark.parametrize(
    ("waiting", "attempts", "kept"),
    [([0.01], 1, 0.01), ([0.29], 1, 0.29), ([0.5, 0.02], 2, 0.02), ([0.5, 0.4, 0.8], 3, 0.4)],
)
def test_a_disturbed_block_is_timed_again(timer, waiting, attempts, kept):
    timer.says("mm", *((10.0, share) for share in waiting))
    (timed,) = time_blocks([entrant("mm", is_baseline=True)], 0.1)
    assert len(timer.log) == attempts
    assert timed.timing.waiting == kept


def test_a_baseline_that_drifted_is_timed_again(timer):
    timer.says("mm", (100.0, 0.0), (300.0, 0.0), (110.0, 0.0))
    timed = {
        found.name: found
        for found in time_blocks([entrant("mm", is_baseline=True), entrant("a", pool="own")], 0.1)
    }
    assert len(timer.log) == 1 + 2 + 2
    assert (timed["a"].baseline_us, timed["a"].note) == (110.0, "")


def test_drift_that_stays_is_told(timer):
    timer.says("mm", (100.0, 0.0), (300.0, 0.0), (200.0, 0.0), (400.0, 0.0))
    timed = {
        found.name: found
        for found in time_blocks([entrant("mm", is_baseline=True), entrant("a", pool="own")], 0.1)
    }
    assert timed["a"].baseline_us == 200.0
    assert "2.00 times" in timed["a"].note


def test_without_a_baseline_there_is_no_comparison(timer):
    timed = list(time_blocks([entrant("a"), entrant("b", pool="own")], 0.1))
    assert [(found.block, found.baseline_us, found.note) for found in timed] == [
        ("torch", None, ""),
        ("b", None, ""),
    ]


def test_nobody(timer):
    assert list(time_blocks([], 0.1)) == []

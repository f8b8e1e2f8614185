"""The timer: turns, batches, which samples count, and its limits. No test here depends on how fast the machine is."""

import gc
import itertools
import os
import subprocess
import sys
import time

import pytest

from tamis.tuning import timer
from tamis.tuning.timer import time_interleaved, trusted


class Clock:
    """A clock that moves only when a contestant works; stands in for `time.perf_counter` and the preemption counter."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.preemptions = 0
        self.waited_s = 0.0
        self.log: list[str] = []

    def work(self, name: str, durations_s, preempted=()):
        durations = itertools.cycle(durations_s)
        hits = itertools.chain(preempted, itertools.repeat(False))

        def call() -> None:
            self.log.append(name)
            self.now_s += next(durations)
            self.preemptions += next(hits)

        return call


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timer.time, "perf_counter", lambda: clock.now_s)
    monkeypatch.setattr(timer, "_preemptions", lambda: clock.preemptions)
    monkeypatch.setattr(timer, "_waited_s", lambda: clock.waited_s)
    return clock


def test_contestants_take_turns(clock):
    calls = {"a": clock.work("a", [0.01]), "b": clock.work("b", [0.02])}  # b is over ten samples long
    time_interleaved(calls, budget_s=0.1, min_samples=3, max_samples=3)
    assert (
        clock.log == ["a", "a", "b", "b"] + ["a", "a", "b"] * 3
    )  # first call and calibration, then turns; a is warmed up


def test_medians_and_quartiles_are_per_call(clock):
    timing = time_interleaved({"a": clock.work("a", [0.002])}, budget_s=1.0, max_samples=9)["a"]
    assert (timing.q1_us, timing.median_us, timing.q3_us) == pytest.approx((2000, 2000, 2000))
    assert (timing.calls_per_sample, timing.samples, timing.clean) == (1, 9, 9)
    assert timing.spread == pytest.approx(0.0, abs=1e-9)


def test_quartiles_of_uneven_samples(clock):
    call = clock.work("a", [0.05, 0.05, 0.05, 0.06, 0.07, 0.08, 0.09])  # two calls before, then five samples
    timing = time_interleaved({"a": call}, budget_s=10.0, min_samples=5, max_samples=5)["a"]
    assert (timing.q1_us, timing.median_us, timing.q3_us) == pytest.approx((60_000, 70_000, 80_000))
    assert timing.spread == pytest.approx(20 / 70)


def test_short_calls_are_batched(clock):
    timing = time_interleaved({"a": clock.work("a", [1e-5])}, sample_s=1e-3, max_samples=5)["a"]
    assert timing.calls_per_sample == 100
    assert timing.median_us == pytest.approx(10.0)


def test_preempted_samples_do_not_count(clock):
    # Two calls before, then every second sample is preempted and ten times slower.
    call = clock.work("a", [0.1, 1.0], preempted=[False, False] + [False, True] * 5)
    timing = time_interleaved({"a": call}, budget_s=100.0, min_samples=10, max_samples=10)["a"]
    assert timing.median_us == pytest.approx(100_000)
    assert (timing.samples, timing.clean, timing.dirty) == (10, 5, 0.5)


def test_waiting_is_a_share_of_sampled_time(clock):
    def call() -> None:
        clock.now_s += 0.1
        clock.waited_s += 0.02

    assert time_interleaved({"a": call}, budget_s=10.0)["a"].waiting == pytest.approx(0.2)


def test_a_busy_neighbour_shows_as_waiting():
    """Two threads that compute on one CPU wait for each other."""
    if not hasattr(os, "sched_setaffinity") or timer._waited_s() == 0:
        pytest.skip("the kernel does not tell")
    script = (
        "import os, subprocess, sys\n"
        "from tamis.tuning.timer import time_interleaved\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "spin = [sys.executable, '-c', 'while True: pass']\n"
        "neighbours = [subprocess.Popen(spin) for _ in range(2)]\n"
        "try: print(time_interleaved({'a': lambda: sum(range(100_000))}, budget_s=0.3)['a'].waiting)\n"
        "finally: [neighbour.kill() for neighbour in neighbours]\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(found.stdout) > 0.25


def test_faster_half_when_under_a_third_is_clean():
    samples = [5.0, 1.0, 4.0, 2.0, 3.0, 6.0, 7.0]
    assert trusted(samples, [True] * 2 + [False] * 5) == [1.0, 2.0, 3.0, 4.0]
    assert trusted(samples, [True] * 3 + [False] * 4) == [5.0, 1.0, 4.0]
    assert trusted([2.0], [False]) == [2.0]


def test_a_spent_contestant_leaves_and_the_rest_goes_on(clock):
    calls = {"slow": clock.work("slow", [1.0]), "fast": clock.work("fast", [0.005])}
    timings = time_interleaved(calls, budget_s=0.2, min_samples=5, max_samples=8)
    assert timings["slow"].samples == 1  # one call spends more than four shares of 0.1 s
    assert timings["fast"].samples == 8


def test_budget_holds_back_samples_beyond_the_minimum(clock):
    timing = time_interleaved({"a": clock.work("a", [0.05])}, budget_s=0.1, min_samples=3, max_samples=31)[
        "a"
    ]
    assert timing.samples == 3


def test_first_call_is_told_apart(clock):
    call = clock.work("a", itertools.chain([3.0], itertools.repeat(0.01, 100)))
    assert time_interleaved({"a": call}, max_samples=5)["a"].first_call_us == pytest.approx(3e6)


def test_errors_pass_through_and_gc_comes_back():
    def broken() -> None:
        raise ZeroDivisionError

    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        time_interleaved({"a": broken})
    assert gc.isenabled()


def test_gc_stays_off_for_who_turned_it_off():
    gc.disable()
    try:
        time_interleaved({"a": lambda: None}, budget_s=1e-3)
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "limits",
    [{"budget_s": 0.0}, {"sample_s": -1.0}, {"min_samples": 0}, {"min_samples": 9, "max_samples": 8}],
)
def test_bad_limits_are_told(limits):
    with pytest.raises(ValueError, match="min_samples <= max_samples"):
        time_interleaved({"a": lambda: None}, **limits)


def test_no_contestant_is_an_error():
    with pytest.raises(ValueError, match="no contestant"):
        time_interleaved({})


def test_real_clock_shows_no_sleep_shorter_than_it_is():
    """A loaded machine makes sleeps longer, never shorter."""
    timings = time_interleaved(
        {"short": lambda: time.sleep(0.001), "long": lambda: time.sleep(0.01)}, budget_s=0.1, min_samples=3
    )
    assert timings["short"].median_us >= 1000.0
    assert timings["long"].median_us >= 10_000.0

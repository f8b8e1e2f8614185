"""The one timer of the house: contestants in turns, short calls in batches, disturbed samples known.

`sparsify`, `tune` and the benchmarks all compare candidates with :func:`time_interleaved`, so that a figure in a report, a choice
of a plan and a benchmark row mean the same thing. Nothing here asserts or prints.
"""

from __future__ import annotations

import gc
import glob
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Call = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """How long one call takes, and how far to trust it.

    Attributes
    ----------
    median_us, q1_us, q3_us : float
        Median and quartiles over the kept samples, microseconds per call.
    samples, clean : int
        Samples taken, and those during which no thread of this process was preempted.
    calls_per_sample : int
        Calls in one sample; more than one where a call is short.
    first_call_us : float
        The first call made here: lazy set-up, just-in-time compilation, cold caches.
    waiting : float
        Time that threads of this process stood ready without getting a CPU, over sampled time: about 0.01 on a quiet machine,
        0.5 and more where another process wants the same cores. 0 where the kernel does not tell.
    """

    median_us: float
    q1_us: float
    q3_us: float
    samples: int
    clean: int
    calls_per_sample: int
    first_call_us: float
    waiting: float = 0.0

    @property
    def spread(self) -> float:
        """Interquartile range over the median, dimensionless."""
        return (self.q3_us - self.q1_us) / self.median_us if self.median_us > 0 else 0.0

    @property
    def dirty(self) -> float:
        """Share of samples that saw an involuntary context switch."""
        return 1.0 - self.clean / self.samples


def time_interleaved(
    contestants: Mapping[str, Call],
    *,
    budget_s: float = 0.5,
    sample_s: float = 1.5e-3,
    min_samples: int = 5,
    max_samples: int = 31,
) -> dict[str, Timing]:
    """Time calls that share one thread pool, taking turns: A B C A B C …

    Turns spread a disturbance of the machine over all contestants, so that ratios survive it. A sample is a batch of calls of
    about ``sample_s``. Calls under ten times that are preceded by an untimed one, which wakes the pool and brings back to
    cache what the contestant before has driven out: figures are warm ones.

    Each contestant may spend an equal share of ``budget_s``. One that has spent it drops out once it has ``min_samples``, or
    once it has spent four shares: a call far slower than the rest is known well enough from few samples.

    Statistics come from the clean samples. Where fewer than a third are clean, they come from the faster half of all, which
    favours slow contestants slightly; :attr:`Timing.dirty` says so.

    Parameters
    ----------
    contestants : mapping of str to callable without arguments
        Every call must do the same work each time. Engines with a thread pool of their own belong in a separate call of this
        function, with the dense contestant repeated beside them.
    budget_s : float
        Seconds for all contestants together, without their first calls.
    sample_s : float
        Aimed length of one sample, seconds.
    min_samples, max_samples : int
        Samples per contestant.

    Returns
    -------
    dict of str to Timing, in the order of ``contestants``.

    Raises
    ------
    ValueError
        If there is no contestant or a limit is out of range. What a contestant raises passes through.
    """
    if not contestants:
        raise ValueError("time_interleaved(contestants): got no contestant, expected at least one.")
    if not (budget_s > 0 and sample_s > 0 and 1 <= min_samples <= max_samples):
        raise ValueError(
            f"time_interleaved(budget_s={budget_s}, sample_s={sample_s}, min_samples={min_samples}, max_samples={max_samples}): "
            "expected positive times and 1 <= min_samples <= max_samples."
        )
    share_s = budget_s / len(contestants)
    with _without_gc():
        runners = {name: _Runner.warmed(call, sample_s) for name, call in contestants.items()}
        active = list(runners.values())
        while active:
            for runner in active:
                runner.sample()
            active = [r for r in active if not r.finished(share_s, min_samples, max_samples)]
    return {name: runner.timing() for name, runner in runners.items()}


@dataclass
class _Runner:
    """One contestant during a comparison: its calls, samples and what it has spent."""

    call: Call
    first_call_s: float
    calls_per_sample: int
    warms_up: bool
    spent_s: float = 0.0
    samples_s: list[float] = field(default_factory=list)
    clean: list[bool] = field(default_factory=list)
    waited_s: float = 0.0

    @classmethod
    def warmed(cls, call: Call, sample_s: float) -> _Runner:
        """Make the first call, then find how many calls fill a sample."""
        first_call_s = _seconds(call, 1)
        calls, elapsed = 1, _seconds(call, 1)
        while elapsed < sample_s / 4:
            calls *= 2 if elapsed > sample_s / 16 else 4
            elapsed = _seconds(call, calls)
        call_s = elapsed / calls
        return cls(call, first_call_s, max(1, round(sample_s / call_s)), warms_up=call_s < 10 * sample_s)

    def sample(self) -> None:
        started = time.perf_counter()
        if self.warms_up:
            self.call()
        waited, before = _waited_s(), _preemptions()
        elapsed = _seconds(self.call, self.calls_per_sample)
        self.clean.append(_preemptions() == before)
        self.waited_s += _waited_s() - waited
        self.samples_s.append(elapsed / self.calls_per_sample)
        self.spent_s += time.perf_counter() - started

    def finished(self, share_s: float, min_samples: int, max_samples: int) -> bool:
        taken = len(self.samples_s)
        if taken >= max_samples:
            return True
        return self.spent_s >= share_s and (taken >= min_samples or self.spent_s >= 4 * share_s)

    def timing(self) -> Timing:
        q1, median, q3 = _quartiles(trusted(self.samples_s, self.clean))
        return Timing(
            median_us=median * 1e6,
            q1_us=q1 * 1e6,
            q3_us=q3 * 1e6,
            samples=len(self.samples_s),
            clean=sum(self.clean),
            calls_per_sample=self.calls_per_sample,
            first_call_us=self.first_call_s * 1e6,
            waiting=self.waited_s / (sum(self.samples_s) * self.calls_per_sample),
        )


def trusted(samples: list[float], clean: list[bool]) -> list[float]:
    """The samples that statistics are made of: the clean ones, or the faster half where under a third are clean."""
    kept = [sample for sample, is_clean in zip(samples, clean, strict=True) if is_clean]
    if 3 * len(kept) >= len(samples):
        return kept
    return sorted(samples)[: (len(samples) + 1) // 2]


def _seconds(call: Call, calls: int) -> float:
    turns = range(calls)
    start = time.perf_counter()
    for _ in turns:
        call()
    return time.perf_counter() - start


def _preemptions() -> int:
    # Of the whole process: a preempted worker of the pool delays a call as much as a preempted caller.
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def _waited_s() -> float:
    """Seconds that the threads of this process have stood ready without running (Linux; 0 elsewhere)."""
    waited_ns = 0
    for task in glob.iglob("/proc/self/task/*/schedstat"):
        with suppress(OSError), open(task) as file:  # a thread may end meanwhile
            waited_ns += int(file.read().split()[1])
    return waited_ns * 1e-9


def _quartiles(samples: list[float]) -> tuple[float, float, float]:
    if len(samples) == 1:
        return samples[0], samples[0], samples[0]
    q1, median, q3 = statistics.quantiles(samples, n=4, method="inclusive")
    return q1, median, q3


@contextmanager
def _without_gc() -> Iterator[None]:
    """Keep the collector of cycles out of the samples."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()

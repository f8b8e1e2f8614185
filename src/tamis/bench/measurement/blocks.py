"""Time blocks: who is interleaved with whom, and when a block was too disturbed to count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tamis.tuning import Timing, time_interleaved

Pool = Literal["torch", "own"]

_ATTEMPTS = 3
_WAITING = (
    0.3  # of sampled time; a quiet machine shows a hundredth, one with another busy process more than 1
)
_DRIFT = 0.25


@dataclass(frozen=True)
class Entrant:
    """A contestant that passed the gate.

    Attributes
    ----------
    name : str
    call : callable without arguments
        What is timed.
    pool : {"torch", "own"}
        Contestants on torch's thread pool are interleaved. One with its own gets a time block of its own.
    is_baseline : bool
        Timed again beside every engine with its own pool; the fastest baseline of a block is what its times are compared with.
    """

    name: str
    call: Callable[[], Any]
    pool: Pool = "torch"
    is_baseline: bool = False


@dataclass(frozen=True)
class Timed:
    """What a block found about one entrant; ``note`` says what was wrong with the block, if anything."""

    name: str
    timing: Timing
    block: str
    baseline_us: float | None
    note: str


def time_blocks(entrants: Sequence[Entrant], share_s: float) -> Iterator[Timed]:
    """Time those on torch's pool in turns, then each engine with its own pool, with the baselines beside it.

    A block is timed again, up to twice, while another process takes the cores from someone, or while the baseline takes
    another time in it than in torch's block; the least troubled attempt counts, and ``note`` says what trouble was left.
    Baselines are yielded once.
    """
    baselines = [entrant for entrant in entrants if entrant.is_baseline]
    shared = [entrant for entrant in entrants if entrant.pool == "torch"]
    expected_us: float | None = None
    if shared:
        block = _undisturbed([shared], share_s, None)
        expected_us = block.baseline_us
        yield from (
            Timed(entrant.name, block.timings[entrant.name], "torch", block.baseline_us, "")
            for entrant in shared
        )
    for entrant in entrants:
        if entrant.pool == "own":
            groups = [[entrant], baselines] if baselines else [[entrant]]
            block = _undisturbed(groups, share_s, expected_us)
            yield Timed(
                entrant.name, block.timings[entrant.name], entrant.name, block.baseline_us, block.note
            )


@dataclass(frozen=True)
class _Block:
    timings: dict[str, Timing]
    baseline_us: float | None
    expected_us: float | None

    @property
    def drift(self) -> float:
        """How far the baseline is from what it took in torch's block, as a share of that."""
        if self.baseline_us is None or self.expected_us is None:
            return 0.0
        return abs(self.baseline_us / self.expected_us - 1)

    @property
    def trouble(self) -> float:
        longest = max(timing.waiting for timing in self.timings.values())
        return max(0.0, longest / _WAITING - 1) + max(0.0, self.drift / _DRIFT - 1)

    @property
    def note(self) -> str:
        if self.drift <= _DRIFT or self.baseline_us is None or self.expected_us is None:
            return ""
        return f"disturbed: the baseline took {self.baseline_us / self.expected_us:.2f} times what it took in torch's block"


def _undisturbed(groups: Sequence[Sequence[Entrant]], share_s: float, expected_us: float | None) -> _Block:
    attempts: list[_Block] = []
    for _ in range(_ATTEMPTS):
        attempts.append(_attempt(groups, share_s, expected_us))
        if attempts[-1].trouble == 0:
            break
    return min(attempts, key=lambda block: block.trouble)


def _attempt(groups: Sequence[Sequence[Entrant]], share_s: float, expected_us: float | None) -> _Block:
    """Time the groups one after the other, the members of each in turns."""
    timings: dict[str, Timing] = {}
    for group in groups:
        timings |= time_interleaved(
            {entrant.name: entrant.call for entrant in group}, budget_s=share_s * len(group)
        )
    baselines = [entrant.name for group in groups for entrant in group if entrant.is_baseline]
    baseline_us = min((timings[name].median_us for name in baselines), default=None)
    return _Block(timings, baseline_us, expected_us)

"""Time blocks: who is interleaved with whom, and when a block was too disturbed to count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tamis.bench.spmm.contestants.prepared import Prepared
from tamis.bench.spmm.rows import Row
from tamis.tuning.timer import Timing, time_interleaved

_ATTEMPTS = 3
_WAITING = (
    0.3  # of sampled time; a quiet machine shows a hundredth, one with another busy process more than 1
)
_DRIFT = 0.25


@dataclass(frozen=True)
class Entrant:
    """A contestant that passed the gate: its call, and its row as far as it is known before timing."""

    name: str
    role: str
    prepared: Prepared
    call: Callable[[], Any]
    row: Row


@dataclass(frozen=True)
class Timed:
    """What a block found about one entrant; ``note`` says what was wrong with the block, if anything."""

    entrant: Entrant
    timing: Timing
    block: str
    dense_us: float | None
    note: str


def time_blocks(entrants: Sequence[Entrant], share_s: float) -> Iterator[Timed]:
    """Time those on torch's pool in turns, then each engine with its own pool, with dense beside it.

    A block is timed again, up to twice, while another process takes the cores from someone, or while dense takes another time
    in it than in torch's block; the least troubled attempt counts, and its rows say what trouble was left. Dense is yielded once.
    """
    dense = [entrant for entrant in entrants if entrant.role == "dense"]
    shared = [entrant for entrant in entrants if entrant.prepared.pool == "torch"]
    own = [entrant for entrant in entrants if entrant.prepared.pool == "own"]
    expected_us: float | None = None
    if shared:
        block = _undisturbed([shared], share_s, None)
        expected_us = block.dense_us
        yield from (
            Timed(entrant, block.timings[entrant.name], "torch", block.dense_us, "") for entrant in shared
        )
    for entrant in own:
        block = _undisturbed([[entrant], dense] if dense else [[entrant]], share_s, expected_us)
        yield Timed(entrant, block.timings[entrant.name], entrant.name, block.dense_us, block.note)


@dataclass(frozen=True)
class _Block:
    timings: dict[str, Timing]
    dense_us: float | None
    expected_us: float | None

    @property
    def drift(self) -> float:
        """How far dense is from what it took in torch's block, as a share of that."""
        if self.dense_us is None or self.expected_us is None:
            return 0.0
        return abs(self.dense_us / self.expected_us - 1)

    @property
    def trouble(self) -> float:
        longest = max(timing.waiting for timing in self.timings.values())
        return max(0.0, longest / _WAITING - 1) + max(0.0, self.drift / _DRIFT - 1)

    @property
    def note(self) -> str:
        if self.drift <= _DRIFT or self.dense_us is None or self.expected_us is None:
            return ""
        return f"disturbed: dense took {self.dense_us / self.expected_us:.2f} times what it took in torch's block"


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
    baselines = [entrant.name for group in groups for entrant in group if entrant.role == "dense"]
    dense_us = min((timings[name].median_us for name in baselines), default=None)
    return _Block(timings, dense_us, expected_us)

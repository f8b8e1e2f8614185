"""What a search of neighbours is asked to do, and how much work that is.

Kind of work: ``tap``, one offset of one target looked up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tamis.tuning import Machine, Work


@dataclass(frozen=True)
class MapProblem:
    """A search as the choice sees it.

    Attributes
    ----------
    sources, targets : int
        Numbers of keys.
    offset_keys : tuple of int
        Packed offsets, in columns of ``taps`` that follow each other by ``step`` along z; the last may be shorter.
    spaced : bool
        Sources of one column are at least ``step`` apart.
    dtype, device : of the keys
    machine, threads : what it will run on
    """

    sources: int
    targets: int
    offset_keys: tuple[int, ...]
    taps: int
    step: int
    spaced: bool
    dtype: torch.dtype
    device: torch.device
    machine: Machine
    threads: int

    def __repr__(self) -> str:
        return f"{len(self.offset_keys)} offsets of {self.targets} keys among {self.sources} on {self.device}"


def tap_work(p: MapProblem) -> Work:
    """One look-up for each offset and target."""
    return Work({"tap": len(p.offset_keys) * p.targets}, busy=p.threads)

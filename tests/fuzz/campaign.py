"""Cases in processes of their own, which may crash, hang and run out of memory."""

import os
import re
import resource
import signal
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch

from . import matrices, saved_models
from .judge import MOST_S, Target, judge

SLICE = 200  # cases per process
ROOM = 4 << 30  # bytes that a process may map beyond what it has


def targets() -> list[Target]:
    """Those of the rooms that are there."""
    found = [*matrices.TARGETS, *saved_models.TARGETS]
    if find_spec("tamis.voxel"):
        from . import point_clouds

        found += point_clouds.TARGETS
    if find_spec("tamis.emotion"):
        from . import speech

        found += speech.TARGETS
    return found


def run(chosen: list[Target], seed: int, minutes: float) -> Iterator[str]:
    """Take turns until the time is over; yields what is wrong, each kind once, with the command that repeats it."""
    end, first, kinds = time.monotonic() + 60 * minutes, 0, set()
    while time.monotonic() < end:
        for target in chosen:
            for case, fault in run_slice(target, seed, range(first, first + SLICE), end):
                kind = re.sub(r"\d+|'.*'", "", f"{target.name} {fault}")
                if kind in kinds:
                    continue
                kinds.add(kind)
                yield f"{target.name}: {fault}\n  python -m tests.fuzz --seed {seed} --target {target.name} --case {case}"
        first += SLICE
        yield f"... {first} cases of each target"


def run_slice(target: Target, seed: int, cases: range, end: float) -> Iterator[tuple[int, str]]:
    """The faults of some cases; a case that ends its process is one."""
    at = cases.start
    while at < cases.stop and time.monotonic() < end:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _attack(target, seed, range(at, cases.stop), end, writer)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                number, _, fault = line.rstrip("\n").partition(" ")
                at = int(number)
                if fault:
                    yield at, fault
        _, status = os.waitpid(child, 0)
        if status != 0:
            ending = (
                signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit {status >> 8}"
            )
            yield at, f"ended its process: {ending}"
        elif time.monotonic() < end:
            return
        at += 1


def _attack(target: Target, seed: int, cases: range, end: float, writer: int) -> None:
    """In the child: one line "number fault" before and, if something is wrong, after each case."""
    torch.set_num_threads(1)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1), os.dup2(silent, 2)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for case in cases:
        if time.monotonic() > end:
            break
        os.write(writer, f"{case}\n".encode())
        signal.alarm(int(30 * MOST_S))
        fault = judge(target, seed, case)
        signal.alarm(0)
        if fault:
            os.write(writer, f"{case} {' '.join(fault.split())}\n".encode())
    os._exit(0)

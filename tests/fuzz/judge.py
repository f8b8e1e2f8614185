"""What a target is, and how one case of it is judged."""

import linecache
import os
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

import tamis
from tests import peak_memory

SOURCE = str(Path(tamis.__file__).parent)
MOST_MIB = 400  # above what the process has, for files of a few KiB
MOST_S = 10.0  # of CPU: a loaded machine is no finding

Call = Callable[[], None]


@dataclass(frozen=True)
class Target:
    """Something to attack.

    Attributes
    ----------
    name : str
    make : callable (rng, folder) -> callable
        Makes hostile input; the returned call hands it to tamis, and asserts whatever must hold of a result.
    errors : tuple of exception types
        What the documentation of the attacked function promises.
    """

    name: str
    make: Callable[[random.Random, Path], Call]
    errors: tuple[type[Exception], ...] = (ValueError,)


def judge(target: Target, seed: int, case: int) -> str | None:
    """What is wrong with case number ``case``, or None."""
    rng = random.Random(f"{seed} {target.name} {case}")
    torch.manual_seed(case)
    with tempfile.TemporaryDirectory() as folder:
        call = target.make(rng, Path(folder))
        before, start = peak_memory.reset(), time.process_time()
        try:
            call()
        except target.errors as error:
            fault = _fault_of(error)
        except Exception as error:
            fault = f"{type(error).__name__} is not documented: {str(error)[:200]}"
        else:
            fault = None
        grown, took = (peak_memory.highest() - before) / 1024, time.process_time() - start
    if grown > MOST_MIB:
        fault = f"took {grown:.0f} MiB"
    if took > MOST_S:
        fault = f"took {took:.0f} s"
    return fault


def _fault_of(error: Exception) -> str | None:
    """A documented error is raised by a line of tamis that says ``raise``; what int() or numpy say is a leak."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    assert trace is not None
    path, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
    if isinstance(error, OSError) and error.errno is not None:
        return None
    if path.startswith(SOURCE) and linecache.getline(path, line).strip().startswith(("raise", "pydantic")):
        return None
    return f"{type(error).__name__} leaks from {os.path.relpath(path, SOURCE)}:{line}: {str(error)[:200]}"

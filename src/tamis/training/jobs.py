"""Pieces of work that do not depend on each other, each in a folder of its own, run by whatever executor is given.

A job that was killed is taken up again; one that is done is left alone. Executors here run on this machine; another (a
cluster's) needs :meth:`Executor.run` only, since a job is a picklable record that runs itself.
"""

import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Protocol

import torch

from tamis.storage import folder_lock, read_json, write_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Work that fills a folder.

    Attributes
    ----------
    folder : Path
        Written by this job alone. ``done.json`` in it says that the work has ended well.
    fingerprint : str
        Of everything that shapes the result; a done folder with another one is an error.
    work : callable
        Fills the folder, or goes on where it was killed. Picklable, for executors that use other processes.
    threads : int
        Of torch, while the work runs.
    """

    folder: Path
    fingerprint: str
    work: Callable[[], None]
    threads: int = 1

    @property
    def done(self) -> bool:
        """Whether the work has ended well.

        Raises
        ------
        ValueError   if it has, with another fingerprint.
        """
        return is_done(self.folder, self.fingerprint)

    def run(self) -> None:
        """Do the work, alone in the folder, unless it is done."""
        with folder_lock(self.folder), torch_threads(self.threads):
            if self.done:
                return
            self.work()
            mark_done(self.folder, self.fingerprint)


class Executor(Protocol):
    """Something that runs jobs."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Job]:
        """Run every job and yield it when it has ended, in any order; after a failure, raise it and begin no further job."""
        ...


@dataclass(frozen=True)
class InProcess:
    """Runs jobs one after the other in this process."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Job]:
        for job in jobs:
            job.run()
            yield job


@dataclass(frozen=True)
class ProcessPool:
    """Runs jobs in so many processes of this machine, which end when this one does."""

    processes: int

    def run(self, jobs: Sequence[Job]) -> Iterator[Job]:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.processes, mp_context=context, initializer=_end_with_parent) as pool:
            futures = {pool.submit(job.run): job for job in jobs}
            try:
                for future in as_completed(futures):
                    future.result()
                    yield futures[future]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def local_executor(processes: int) -> Executor:
    """This process for one, a pool for more."""
    return InProcess() if processes == 1 else ProcessPool(processes)


def run_jobs(jobs: Sequence[Job], executor: Executor, progress: Callable[[str], None] | None = None) -> None:
    """Run the jobs that are not done yet.

    Parameters
    ----------
    jobs : sequence of Job
    executor : Executor
    progress : callable, optional
        Receives one line per job that has ended; the default logs.

    Raises
    ------
    ValueError   if a folder was filled by a job with another fingerprint; and whatever a job raises.
    """
    report = progress or logger.info
    waiting = [job for job in jobs if not job.done]
    done = len(jobs) - len(waiting)
    report(f"{done} of {len(jobs)} jobs are done already")
    if not waiting:
        return
    for i, job in enumerate(executor.run(waiting), start=done + 1):
        report(f"{i}/{len(jobs)} {job.folder}")


def is_done(folder: Path, fingerprint: str) -> bool:
    """Whether ``folder`` holds finished work; work with another fingerprint is an error."""
    done = folder / "done.json"
    if not done.exists():
        return False
    if read_json(done)["fingerprint"] != fingerprint:
        raise ValueError(
            f"{folder} was written with other settings or inputs; choose another output, or delete it to begin anew."
        )
    return True


def mark_done(folder: Path, fingerprint: str) -> None:
    """Say that the work in ``folder`` is finished; what was kept for resuming it goes."""
    write_json(folder / "done.json", {"fingerprint": fingerprint})
    (folder / "resume.pt").unlink(missing_ok=True)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Give torch ``count`` threads, and put the number back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _end_with_parent() -> None:
    """A worker whose parent was killed must not go on writing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()

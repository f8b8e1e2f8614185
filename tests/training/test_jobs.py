"""Jobs: run once, taken up again, refused under other settings, by any executor."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import torch

from tamis.training import Executor, InProcess, Job, ProcessPool, is_done, local_executor, run_jobs


def note(folder: Path, fails: bool = False) -> None:
    """Leave a line with the process and torch's threads in it."""
    if fails:
        raise RuntimeError(f"no {folder.name}")
    with (folder / "lines").open("a") as file:
        file.write(f"{os.getpid()} {torch.get_num_threads()}\n")


def job(folder: Path, fingerprint: str = "f", fails: bool = False, threads: int = 1) -> Job:
    return Job(folder, fingerprint, partial(note, folder, fails), threads)


def lines(folder: Path) -> list[list[int]]:
    return [list(map(int, line.split())) for line in (folder / "lines").read_text().splitlines()]


@pytest.mark.parametrize("executor", [InProcess(), ProcessPool(2)])
def test_every_job_runs_once(executor: Executor, tmp_path: Path) -> None:
    jobs = [job(tmp_path / name, threads=2) for name in "abc"]
    told: list[str] = []
    run_jobs(jobs, executor, told.append)
    run_jobs(jobs, executor, told.append)
    assert [len(lines(j.folder)) for j in jobs] == [1, 1, 1]
    assert {threads for j in jobs for _, threads in lines(j.folder)} == {2}
    assert told[0] == "0 of 3 jobs are done already"
    assert len(told) == 5
    assert told[-1] == "3 of 3 jobs are done already"
    inside = {pid == os.getpid() for j in jobs for pid, _ in lines(j.folder)}
    assert inside == {isinstance(executor, InProcess)}


def test_what_was_done_with_other_settings_is_refused(tmp_path: Path) -> None:
    run_jobs([job(tmp_path / "a")], InProcess())
    with pytest.raises(ValueError, match="other settings"):
        run_jobs([job(tmp_path / "a", fingerprint="g")], InProcess())


@pytest.mark.parametrize("executor", [InProcess(), ProcessPool(2)])
def test_a_failure_is_raised_and_taken_up_again(executor: Executor, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no b"):
        run_jobs([job(tmp_path / "a"), job(tmp_path / "b", fails=True)], executor)
    assert not is_done(tmp_path / "b", "f")
    run_jobs([job(tmp_path / "a"), job(tmp_path / "b")], executor)
    assert is_done(tmp_path / "b", "f")


def test_any_executor_will_do(tmp_path: Path) -> None:
    """The seam for a cluster: jobs are pickled, run elsewhere in any order, and reported when they end."""

    class Backwards:
        def run(self, jobs: Sequence[Job]) -> Iterator[Job]:
            import pickle

            for each in reversed(jobs):
                pickle.loads(pickle.dumps(each)).run()
                yield each

    told: list[str] = []
    run_jobs([job(tmp_path / name) for name in "ab"], Backwards(), told.append)
    assert told[1:] == [f"1/2 {tmp_path / 'b'}", f"2/2 {tmp_path / 'a'}"]


def test_threads_are_put_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    run_jobs([job(tmp_path / "a", threads=before + 1)], InProcess())
    assert torch.get_num_threads() == before


def test_one_process_is_this_one() -> None:
    assert local_executor(1) == InProcess()
    assert local_executor(3) == ProcessPool(3)

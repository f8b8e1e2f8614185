"""Trainings that do not depend on each other, run in parallel processes, each taken up where it was killed."""

import hashlib
import json
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

import torch

from tamis.emotion.data.training_data import TrainingData, load_training_data
from tamis.emotion.train.baseline import train_baseline
from tamis.emotion.train.config import Config, resolved
from tamis.emotion.train.members import train_member
from tamis.training import EpochReport
from tamis.training.folder_lock import folder_lock
from tamis.training.written_beside import write_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Train one model of a run: a member (its place in the configuration) without one fold, or on all; or the baseline."""

    config: Config
    packed: Path
    member: int | None
    fold: int | None = None

    @property
    def folder(self) -> Path:
        if self.member is None:
            return self.config.output / "baseline"
        return member_folder(self.config, self.config.members[self.member].name, self.fold)


def member_folder(config: Config, name: str, fold: int | None) -> Path:
    return config.output / "members" / name / ("all" if fold is None else f"fold{fold}")


def jobs_of(config: Config, packed: Path) -> list[Job]:
    """All trainings of a run: every member on all rows, and once without each fold."""
    folds = (*range(config.splits.folds), None)
    jobs = [Job(config, packed, member, fold) for fold in folds for member in range(len(config.members))]
    return jobs + ([Job(config, packed, None)] if config.baseline_stream else [])


def run_jobs(jobs: Sequence[Job], progress: Callable[[str], None] | None = None) -> None:
    """Train what is not done yet, in as many processes as the configuration says; after a failure no new one begins."""
    waiting = [job for job in jobs if not _done(job)]
    report = progress or logger.info
    report(f"{len(jobs) - len(waiting)} of {len(jobs)} trainings are done already")
    if not waiting:
        return
    processes = min(waiting[0].config.processes, len(waiting))
    for i, job in enumerate(_in_process(waiting) if processes == 1 else _in_pool(waiting, processes)):
        report(f"{len(jobs) - len(waiting) + i + 1}/{len(jobs)} {job.folder}")


def run_fingerprint(config: Config) -> str:
    """Hash of everything that shapes a run's numbers: the settings, and the index of the feature set."""
    settings = {k: v for k, v in resolved(config).items() if k not in ("processes", "features", "output")}
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    for name in ("set.json", "index.parquet", "index.csv"):
        if (path := config.features / name).is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _done(job: Job) -> bool:
    done = job.folder / "done.json"
    if not done.exists():
        return False
    if json.loads(done.read_text())["fingerprint"] != run_fingerprint(job.config):
        raise ValueError(
            f"{job.folder} was trained with other settings or features; choose another output, or delete it to train anew."
        )
    return True


def _in_process(jobs: Sequence[Job]) -> Iterator[Job]:
    data: dict[Path, TrainingData] = {}
    for job in jobs:
        _train(job, data)
        yield job


def _in_pool(jobs: Sequence[Job], processes: int) -> Iterator[Job]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent) as pool:
        futures = {pool.submit(_train, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """A worker whose parent was killed must not go on writing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()


def _train(job: Job, loaded: dict[Path, TrainingData] | None = None) -> None:
    with folder_lock(job.folder), _threads(job.config.threads):
        if _done(job):
            return
        loaded = {} if loaded is None else loaded
        if job.config.output not in loaded:
            loaded.clear()
            loaded[job.config.output] = load_training_data(job.config, job.packed)
        data, fingerprint = loaded[job.config.output], run_fingerprint(job.config)
        if job.member is None:
            train_baseline(job.config, data, job.folder, fingerprint, _quiet)
        else:
            member = job.config.members[job.member]
            train_member(job.config, data, member, job.fold, job.folder, fingerprint, _quiet)
        write_json(job.folder / "done.json", {"fingerprint": fingerprint})
        (job.folder / "resume.pt").unlink(missing_ok=True)


def _quiet(report: EpochReport) -> None:
    logger.debug("%s %d/%d %s", report.stage, report.epoch, report.epochs, dict(report.figures))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)

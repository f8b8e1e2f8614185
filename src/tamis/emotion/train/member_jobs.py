"""The trainings of a run as jobs: every member on all rows and once without each fold, and the baseline."""

import logging
from functools import partial
from pathlib import Path

from tamis.emotion.data import TrainingData
from tamis.emotion.train.baseline import train_baseline
from tamis.emotion.train.config import Config, run_fingerprint
from tamis.emotion.train.members import train_member
from tamis.training import EpochReport, Job

logger = logging.getLogger(__name__)


def member_folder(config: Config, name: str, fold: int | None) -> Path:
    """Where the member that was trained without ``fold`` (None: on all rows) leaves its stages."""
    return config.output / "members" / name / ("all" if fold is None else f"fold{fold}")


def jobs_of(config: Config, data: TrainingData) -> list[Job]:
    """All trainings of a run."""
    fingerprint = run_fingerprint(config)
    jobs = []
    for fold in (*range(config.splits.folds), None):
        for member in config.members:
            folder = member_folder(config, member.name, fold)
            work = partial(train_member, config, data, member, fold, folder, fingerprint, _debug)
            jobs.append(Job(folder, fingerprint, work, config.threads))
    if config.baseline_stream:
        folder = config.output / "baseline"
        work = partial(train_baseline, config, data, folder, fingerprint, _debug)
        jobs.append(Job(folder, fingerprint, work, config.threads))
    return jobs


def _debug(report: EpochReport) -> None:
    logger.debug("%s %d/%d %s", report.stage, report.epoch, report.epochs, dict(report.figures))

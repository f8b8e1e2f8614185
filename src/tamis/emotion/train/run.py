"""`tamis emotion train`: from a configuration and a feature set to an ensemble, in four stages."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tamis.emotion.data import load, pack
from tamis.emotion.train.config import Config, load_config, run_fingerprint
from tamis.emotion.train.join import join_members
from tamis.emotion.train.member_jobs import jobs_of
from tamis.storage import folder_lock, plain, read_json, remove_leftovers, write_json
from tamis.training import Executor, local_executor, run_jobs

logger = logging.getLogger(__name__)


def train(
    config_path: str | Path,
    *,
    changes: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] | None = None,
    executor: Executor | None = None,
) -> Path:
    """Train everything a configuration names, or what is left of it after a kill; returns the output folder.

    Parameters
    ----------
    config_path : path
        TOML file, see :mod:`tamis.emotion.train.config`.
    changes : mapping, optional
        Nested settings that replace those of the file.
    progress : callable, optional
        Receives one line per finished training; the default logs.
    executor : Executor, optional
        Runs the members' trainings; the default is this machine, with as many processes as the configuration says.

    Notes
    -----
    The output folder receives ``config.json``; ``members/<name>/fold<k>/`` and ``members/<name>/all/``, each with
    ``natural/`` and ``balanced/`` holding ``weights.safetensors``, ``history.json``, ``predictions.parquet``;
    ``meta/``; and ``ensemble/``: ``weights.safetensors`` of the soup, ``predictions.parquet``, ``recogniser.json``.
    With ``outer_folds`` all that once per test fold, in ``outer<k>/``.
    """
    config = load_config(config_path, changes)
    report = progress or logger.info
    with folder_lock(config.output):
        remove_leftovers(config.output)
        runs = runs_of(config)
        for run in runs:
            _claim(run)
        frames = config.output / "frames"
        loaded = [load(pack(run.data, frames)) for run in runs]
        for note in dict.fromkeys(note for data in loaded for note in data.notes):
            report(f"note: {note}")
        jobs = [job for run, data in zip(runs, loaded, strict=True) for job in jobs_of(run, data)]
        run_jobs(jobs, executor or local_executor(config.processes), progress)
        for run, data in zip(runs, loaded, strict=True):
            join_members(run, data, report)
    return config.output


def runs_of(config: Config) -> list[Config]:
    """One run per outer fold, or the run itself."""
    outer = config.splits.outer_folds
    return [config] if outer is None else [with_outer_fold(config, fold) for fold in range(outer)]


def with_outer_fold(config: Config, fold: int) -> Config:
    """The same run with another test fold, in a folder of its own."""
    splits = replace(config.splits, outer_fold=fold)
    return replace(config, splits=splits, output=config.output / f"outer{fold}")


def _claim(config: Config) -> None:
    """Write the resolved configuration, or find it written by an equal run."""
    path, fingerprint = config.output / "config.json", run_fingerprint(config)
    if path.exists() and read_json(path)["fingerprint"] != fingerprint:
        raise ValueError(
            f"{config.output} holds a run with other settings or features; choose another output, or delete it to "
            "train anew."
        )
    write_json(path, {"fingerprint": fingerprint, **plain(config)})

"""`tamis emotion train`: from a configuration and a feature set to an ensemble, in four stages."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tamis.emotion.data.training_data import load_training_data, with_outer_fold
from tamis.emotion.train.config import Config, load_config, resolved
from tamis.emotion.train.jobs import jobs_of, run_fingerprint, run_jobs
from tamis.emotion.train.join import join_members
from tamis.training.folder_lock import folder_lock
from tamis.training.written_beside import remove_leftovers, write_json


def train(
    config_path: str | Path,
    *,
    changes: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] | None = None,
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

    Notes
    -----
    The output folder receives ``config.json``; ``members/<name>/fold<k>/`` and ``members/<name>/all/``, each with
    ``natural/`` and ``balanced/`` holding ``weights.safetensors``, ``history.json``, ``predictions.parquet``;
    ``meta/``; and ``ensemble/``: ``weights.safetensors`` of the soup, ``predictions.parquet``, ``recogniser.json``.
    With ``outer_folds`` all that once per test fold, in ``outer<k>/``.
    """
    config = load_config(config_path, changes)
    packed = config.output / "frames"
    runs = runs_of(config)
    with folder_lock(config.output):
        remove_leftovers(config.output)
        for run in runs:
            _claim(run)
            load_training_data(run, packed)
        run_jobs([job for run in runs for job in jobs_of(run, packed)], progress)
        for run in runs:
            join_members(run, load_training_data(run, packed))
    return config.output


def runs_of(config: Config) -> list[Config]:
    """One run per outer fold, or the run itself."""
    outer = config.splits.outer_folds
    return [config] if outer is None else [with_outer_fold(config, fold) for fold in range(outer)]


def _claim(config: Config) -> None:
    """Write the resolved configuration, or find it written by an equal run."""
    path, fingerprint = config.output / "config.json", run_fingerprint(config)
    if path.exists() and json.loads(path.read_text())["fingerprint"] != fingerprint:
        raise ValueError(
            f"{config.output} holds a run with other settings or features; choose another output, or delete it to "
            "train anew."
        )
    write_json(path, {"fingerprint": fingerprint, **resolved(config)})

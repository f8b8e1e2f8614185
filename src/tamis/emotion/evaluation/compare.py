"""`tamis emotion evaluate`: an ensemble beside its members, the baseline and linear probes, with intervals over speakers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tamis.emotion.data import FeatureSet, Predictions, concatenated, consensus, macro_f1, primary, uar
from tamis.emotion.evaluation.bootstrap import Interval, interval, paired_interval, speaker_confusions
from tamis.emotion.evaluation.metrics import Truth, per_category, per_slice, score, taken
from tamis.emotion.train import Config, last_stage, load_config, member_folder, runs_of
from tamis.storage import write_json, written_beside

FIGURES = {"uar": uar, "macro_f1": macro_f1}


@dataclass(frozen=True)
class Evaluation:
    """Everything that was measured.

    Attributes
    ----------
    models : DataFrame
        One row per model: all figures of :func:`score`, ``uar`` and ``macro_f1`` with ``_low`` and ``_high``, and for the others
        ``<figure>_gain``: how much better the ensemble is, with its interval (paired over speakers).
    categories, slices : DataFrame
        Of the ensemble.
    """

    models: pd.DataFrame
    categories: pd.DataFrame
    slices: pd.DataFrame


def evaluate(
    config_path: str | Path,
    *,
    changes: Mapping[str, Any] | None = None,
    split: str = "test",
    slices: tuple[str, ...] = ("gender",),
    others: Mapping[str, Predictions] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Measure what :func:`tamis.emotion.train.train` has written, and write ``evaluation/`` beside it.

    Parameters
    ----------
    config_path, changes
        As for training.
    split : "test", "development" or "out_of_fold"
        With ``outer_folds``, the test sets of all folds together are all utterances.
    slices : tuple of str
        Columns of the index to report apart.
    others : mapping of str to Predictions, optional
        More contestants, such as :func:`tamis.emotion.evaluation.ridge_probe`, of the same utterances.
    seed : int
        Of the bootstrap.
    """
    config = load_config(config_path, changes)
    contestants = {**trained_predictions(config, split), **(others or {})}
    features = FeatureSet(config.features)
    utterances = list(contestants["ensemble"].utterances)
    if not utterances:
        raise ValueError(f"evaluate: {config.output} has no prediction of split {split!r}.")
    truth = truth_of(features, utterances, config)
    aligned = {name: p.of_utterances(utterances) for name, p in contestants.items()}
    evaluation = Evaluation(
        models=compared(aligned, truth, seed),
        categories=per_category(aligned["ensemble"], truth),
        slices=per_slice(aligned["ensemble"], truth, slices_of(features, utterances, slices)),
    )
    for name, table in asdict_tables(evaluation).items():
        with written_beside(config.output / "evaluation" / f"{split}_{name}.csv") as part:
            table.to_csv(part, index=False)
    write_json(config.output / "evaluation" / f"{split}.json", evaluation.models.to_dict(orient="records"))
    return evaluation


def asdict_tables(evaluation: Evaluation) -> dict[str, pd.DataFrame]:
    return {"models": evaluation.models, "categories": evaluation.categories, "slices": evaluation.slices}


def trained_predictions(config: Config, split: str) -> dict[str, Predictions]:
    """Predictions of the ensemble, its members, their vote, and the baseline; outer folds one below the other."""
    parts: dict[str, list[Predictions]] = {}
    for run in runs_of(config):
        found = {"ensemble": run.output / "ensemble" / "predictions.parquet"}
        members = {m.name: _member_predictions(run, m.name, split) for m in run.members}
        if run.baseline_stream and split != "out_of_fold":
            found["baseline"] = run.output / "baseline" / "natural" / "predictions.parquet"
        for name, path in found.items():
            parts.setdefault(name, []).append(_read(path).of_split(split))
        for name, predictions in members.items():
            parts.setdefault(f"member/{name}", []).append(predictions)
        parts.setdefault("soft vote", []).append(soft_vote(list(members.values())))
    return {name: concatenated(p) if split != "out_of_fold" else p[0] for name, p in parts.items()}


def soft_vote(members: list[Predictions]) -> Predictions:
    """Mean of the members' distributions and attributes."""
    names = list(members[0].utterances)
    aligned = [m.of_utterances(names) for m in members]
    p = np.mean([m.probabilities for m in aligned], axis=0)
    a = np.mean([m.attributes for m in aligned], axis=0)
    return Predictions(members[0].utterances, members[0].splits, members[0].categories, p, a)


def truth_of(features: FeatureSet, utterances: list[str], config: Config) -> Truth:
    """The raters' votes, whatever rule the training targets follow: plurality and shares of the primary votes."""
    places = {name: i for i, name in enumerate(features.strings("utterance"))}
    rows = np.array([places[name] for name in utterances], dtype=np.int64)
    other = config.targets.other
    vote_shares = primary(features.votes(), features.mentions(), other)
    speakers = np.where(
        features.strings("speaker") == "", features.strings("utterance"), features.strings("speaker")
    )
    return Truth(
        consensus(features.votes(), other)[rows],
        vote_shares[rows],
        features.attributes()[rows],
        speakers[rows],
    )


def slices_of(
    features: FeatureSet, utterances: list[str], names: tuple[str, ...]
) -> dict[str, npt.NDArray[np.object_]]:
    """Columns of the index for ``utterances``; those that the index does not have are left out."""
    places = {name: i for i, name in enumerate(features.strings("utterance"))}
    rows = [places[name] for name in utterances]
    return {name: features.strings(name)[rows] for name in names if name in features.table}


def compared(contestants: Mapping[str, Predictions], truth: Truth, seed: int) -> pd.DataFrame:
    """One row per contestant, figures with intervals; the ensemble's gain over each, paired."""
    agreed = np.flatnonzero(truth.consensus >= 0)
    confusions = {}
    for name, predictions in contestants.items():
        some, part = taken(predictions, truth, agreed)
        predicted = some.probabilities.argmax(axis=1)
        confusions[name] = speaker_confusions(part.consensus, predicted, part.speakers, len(some.categories))
    rows = []
    for name, predictions in contestants.items():
        row: dict[str, Any] = {"model": name, **score(predictions, truth)}
        for figure_name, figure in FIGURES.items():
            row |= _bounds(figure_name, interval(confusions[name], figure, seed=seed))
            if name != "ensemble":
                gain = paired_interval(confusions["ensemble"], confusions[name], figure, seed=seed)
                row |= {f"{figure_name}_gain": gain.value, **_bounds(f"{figure_name}_gain", gain)}
        rows.append(row)
    return pd.DataFrame(rows)


def _bounds(name: str, of: Interval) -> dict[str, float]:
    values = asdict(of)
    return {f"{name}_low": values["low"], f"{name}_high": values["high"]}


def _member_predictions(config: Config, name: str, split: str) -> Predictions:
    if split != "out_of_fold":
        return _read(member_folder(config, name, None) / last_stage(config) / "predictions.parquet").of_split(
            split
        )
    folders = [member_folder(config, name, fold) for fold in range(config.splits.folds)]
    return concatenated(
        [_read(f / last_stage(config) / "predictions.parquet").of_split(split) for f in folders]
    )


def _read(path: Path) -> Predictions:
    if not path.exists():
        raise FileNotFoundError(
            f"evaluate: {path} is not there; run `tamis emotion train` with this configuration."
        )
    return Predictions.read(path)

"""Stages 3 and 4: the members' out-of-fold predictions are joined by a meta-classifier, several of which make the soup."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from tamis.emotion.corpora.categories import ATTRIBUTES
from tamis.emotion.data.confusion import confusion_matrix, macro_f1
from tamis.emotion.data.feature_set import FeatureSet
from tamis.emotion.data.predictions import Predictions, joined
from tamis.emotion.data.sampling import Rows
from tamis.emotion.data.training_data import TrainingData
from tamis.emotion.train.config import Config, resolved
from tamis.emotion.train.jobs import member_folder, run_fingerprint
from tamis.emotion.train.meta import (
    MetaClassifier,
    MetaData,
    calibrate,
    meta_inputs,
    meta_predict,
    train_meta,
)
from tamis.emotion.train.soup import Weights, greedy_soup, uniform_soup
from tamis.emotion.train.stages import last_stage
from tamis.training.written_beside import write_json, write_tensors


def join_members(config: Config, data: TrainingData) -> None:
    """Learn to join the trained members; writes ``meta/`` and ``ensemble/`` unless they are there.

    The ensemble's own out-of-fold predictions come from soups that have not seen the fold either (and the temperature from
    those); its development and test predictions from the soup of all training rows over the members of all training rows.
    """
    fingerprint, folder = run_fingerprint(config), config.output / "ensemble"
    if _done(folder / "recogniser.json", fingerprint):
        return
    rows = data.train[data.original[data.train]]
    held_out = [out_of_fold(config, data, rows, member.name) for member in config.members]
    final = [final_predictions(config, member.name) for member in config.members]
    learnt, development = _meta_data(config, data, held_out), _development(config, data, final)
    crossed = cross_fitted(config, data, learnt, development, held_out[0], fingerprint)
    model = soup_of_runs(config, learnt, development, "all", fingerprint)
    shares = data.unsmoothed[rows]
    known = ~np.isnan(shares).any(axis=1)
    logits = np.log(crossed.probabilities[known].clip(min=1e-12))
    calibrate(model, torch.from_numpy(logits), torch.from_numpy(shares[known]))
    parts = [_tempered(crossed, float(model.temperature)), _joined_by(model, config, final)]
    write_tensors(folder / "weights.safetensors", model.state_dict())
    joined(parts).write(folder / "predictions.parquet")
    write_json(folder / "recogniser.json", {"fingerprint": fingerprint, **describe_recogniser(config, data)})


def out_of_fold(config: Config, data: TrainingData, rows: Rows, name: str) -> Predictions:
    """One member's predictions of the training rows, each by the model that has not heard its speaker."""
    parts = []
    for fold in range(config.splits.folds):
        _, inside = data.fold(fold)
        path = member_folder(config, name, fold) / last_stage(config) / "predictions.parquet"
        part = Predictions.read(path).of_split("out_of_fold")
        if set(part.utterances) != set(data.utterances[inside]):
            raise ValueError(
                f"{path} is not of the utterances of fold {fold}; delete the run and train anew."
            )
        parts.append(part)
    return joined(parts).of_utterances(list(data.utterances[rows]))


def final_predictions(config: Config, name: str) -> Predictions:
    """Development and test predictions of the member that was trained on all training rows."""
    return Predictions.read(member_folder(config, name, None) / last_stage(config) / "predictions.parquet")


def cross_fitted(
    config: Config,
    data: TrainingData,
    learnt: MetaData,
    development: MetaData | None,
    rows: Predictions,
    fingerprint: str,
) -> Predictions:
    """The ensemble's out-of-fold predictions: each fold by a soup that has learnt from the other folds' rows.

    (As always in stacking, the inputs of those other rows come from members that have heard this fold's speakers.)
    """
    folds = data.folds[data.original[data.train]]
    p, a = np.zeros((len(folds), len(data.categories))), np.zeros((len(folds), len(ATTRIBUTES)))
    for fold in range(config.splits.folds):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        model = soup_of_runs(config, learnt.take(outside), development, f"fold{fold}", fingerprint)
        p[inside], a[inside] = meta_predict(model, learnt.inputs[inside])
    return Predictions(rows.utterances, rows.splits, rows.categories, p, a)


def soup_of_runs(
    config: Config, learnt: MetaData, development: MetaData | None, name: str, fingerprint: str
) -> MetaClassifier:
    """Train the runs of a meta-classifier (``meta/<name>/run<r>``) and average them."""
    members = len(config.members)
    runs: list[Weights] = []
    for run in range(config.meta.runs):
        folder = config.output / "meta" / name / f"run{run}"
        if not _done(folder / "done.json", fingerprint):
            train_meta(config, learnt, development, members, f"{name}/{run}", folder, fingerprint)
            write_json(folder / "done.json", {"fingerprint": fingerprint})
            (folder / "resume.pt").unlink(missing_ok=True)
        stage = "balanced" if config.meta.balanced.epochs else "natural"
        runs.append(load_file(folder / stage / "weights.safetensors"))
    model = MetaClassifier(members, learnt.soft.shape[1])
    model.load_state_dict(_stirred(config, runs, model, development))
    return model.eval()


def _stirred(
    config: Config, runs: list[Weights], model: MetaClassifier, development: MetaData | None
) -> dict[str, Any]:
    if config.soup == "uniform":
        return uniform_soup(runs)
    if development is None:
        raise ValueError("soup = 'greedy' chooses by development rows, and there are none; use 'uniform'.")

    def score(weights: Weights) -> float:
        model.load_state_dict(dict(weights))
        agreed = np.flatnonzero(development.labels >= 0)
        p, _ = meta_predict(model, development.inputs[agreed])
        return float(macro_f1(confusion_matrix(development.labels[agreed], p.argmax(axis=1), p.shape[1])))

    return greedy_soup(runs, score)[0]


def describe_recogniser(config: Config, data: TrainingData) -> dict[str, Any]:
    """What inference needs beside the weights: categories, members with their streams' views, sizes, folders.

    ``source`` of a stream is what the feature set says of its encoder; ``attributes`` is empty where nothing was rated.
    """
    sources = FeatureSet(config.features).streams
    agreed = data.labels[data.train][data.labels[data.train] >= 0]
    natural = np.bincount(agreed, minlength=len(data.categories)) / max(1, len(agreed))
    rated = bool(config.loss.attributes) and not np.isnan(data.attributes[data.train]).all()
    settings = resolved(config)
    return {
        "categories": list(data.categories),
        "attributes": list(ATTRIBUTES) if rated else [],
        "prior": {
            "natural": natural.tolist(),
            "trained": "balanced" if config.meta.balanced.epochs else "natural",
        },
        "heard_variants": list(config.heard_variants),
        "meta_inputs": config.meta.inputs,
        "architecture": settings["architecture"],
        "streams": {
            name: {
                **settings["streams"][name],
                "dim": frames.dim,
                "layers": frames.layers,
                "source": dict(sources[config.streams[name].stream].extra),
            }
            for name, frames in data.frames.items()
        },
        "members": [
            {
                "name": member.name,
                "streams": list(member.streams),
                "kind": member.kind,
                "weights": f"members/{member.name}/all/{last_stage(config)}/weights.safetensors",
            }
            for member in config.members
        ],
    }


def _meta_data(config: Config, data: TrainingData, members: Sequence[Predictions]) -> MetaData:
    places = {name: i for i, name in enumerate(data.utterances)}
    rows = np.array([places[name] for name in members[0].utterances], dtype=np.int64)
    inputs = meta_inputs(members, config.meta.inputs)
    return MetaData(inputs, data.labels[rows], data.soft[rows], data.attributes[rows])


def _development(config: Config, data: TrainingData, final: Sequence[Predictions]) -> MetaData | None:
    if not len(data.development):
        return None
    return _meta_data(config, data, [p.of_split("development") for p in final])


def _joined_by(model: MetaClassifier, config: Config, final: Sequence[Predictions]) -> Predictions:
    rows = final[0]
    p, a = meta_predict(model, meta_inputs(final, config.meta.inputs))
    return Predictions(rows.utterances, rows.splits, rows.categories, p, a)


def _tempered(predictions: Predictions, temperature: float) -> Predictions:
    p = predictions.probabilities.clip(min=1e-12) ** (1 / temperature)
    return Predictions(
        predictions.utterances,
        predictions.splits,
        predictions.categories,
        p / p.sum(axis=1, keepdims=True),
        predictions.attributes,
    )


def _done(path: Path, fingerprint: str) -> bool:
    return path.exists() and json.loads(path.read_text())["fingerprint"] == fingerprint

"""Stages 3 and 4: the members' out-of-fold predictions are joined by a vote, or by a meta-classifier, several of which make the soup."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tamis.emotion.corpora import ATTRIBUTES
from tamis.emotion.data import (
    FeatureSet,
    Predictions,
    Rows,
    TrainingData,
    concatenated,
    confusion_matrix,
    macro_f1,
)
from tamis.emotion.network import Member, MetaClassifier, meta_inputs, meta_predict
from tamis.emotion.predict import (
    RECOGNISER,
    WEIGHTS,
    MemberRecord,
    PriorRecord,
    RecogniserRecord,
    StreamRecord,
    write_recogniser,
)
from tamis.emotion.train.choice import Choice, Joined, choose
from tamis.emotion.train.config import Config, run_fingerprint
from tamis.emotion.train.member_jobs import member_folder
from tamis.emotion.train.meta import MetaData, calibrate, train_meta, vote_weights
from tamis.emotion.train.soup import Weights, greedy_soup, uniform_soup
from tamis.emotion.train.stages import last_stage
from tamis.storage import plain, read_json, read_tensors, write_json, write_tensors
from tamis.training import is_done, mark_done

CHOICE = Path("ensemble") / "choice.json"
logger = logging.getLogger(__name__)


def join_members(config: Config, data: TrainingData, report: Callable[[str], None] = logger.info) -> None:
    """Learn to join the trained members; writes ``meta/`` and ``ensemble/`` unless they are there.

    What joins them is chosen by its out-of-fold predictions (:mod:`tamis.emotion.train.choice`; ``ensemble/choice.json`` says why), which
    are the ensemble's own (and give its temperature); its development and test predictions come from what has learnt from
    all training rows, over the members of all training rows.
    """
    fingerprint = run_fingerprint(config)
    if _joined(config.output, fingerprint):
        return
    rows = data.train[data.original[data.train]]
    held_out = [out_of_fold(config, data, rows, member.name) for member in config.members]
    final = [final_predictions(config, member.name) for member in config.members]
    learnt, development = _meta_data(config, data, held_out), _development(config, data, final)
    shares = data.vote_shares[rows]
    known = ~np.isnan(shares).any(axis=1)
    candidates = candidates_of(config, development, fingerprint)
    crossed = {name: cross_fitted(config, data, learnt, fitted) for name, fitted in candidates.items()}
    choice = choose(
        {n: Joined(j.probabilities[known], j.attributes[known]) for n, j in crossed.items()},
        shares[known],
        list(data.speakers[rows][known]),
    )
    report(f"{config.output}: {choice}")
    model = candidates[choice.chosen](learnt, "all")
    best = crossed[choice.chosen]
    logits = np.log(best.probabilities[known].clip(min=1e-12))
    calibrate(model, torch.from_numpy(logits), torch.from_numpy(shares[known]))
    first = held_out[0]
    unseen = Predictions(
        first.utterances, first.splits, first.categories, best.probabilities, best.attributes
    )
    parts = [_tempered(unseen, float(model.temperature)), _joined_by(model, config, final)]
    write_tensors(config.output / WEIGHTS, model.state_dict())
    concatenated(parts).write(config.output / "ensemble" / "predictions.parquet")
    write_json(config.output / CHOICE, plain(choice))
    write_recogniser(config.output, describe_recogniser(config, data, fingerprint, choice))


Fitted = Callable[[MetaData, str], MetaClassifier]
"""Learns to join the members, and names its randomness and its files."""


def candidates_of(config: Config, development: MetaData | None, fingerprint: str) -> dict[str, Fitted]:
    """What the members may be joined by, simplest first."""
    members = len(config.members)

    def voted(share: float) -> Fitted:
        """The members' mean, their weights so far on the way from equal ones to the best."""

        def fitted(learnt: MetaData, _: str) -> MetaClassifier:
            model = MetaClassifier(members, learnt.soft_labels.shape[1])
            equal = torch.full((members,), 1 / members)
            weights = equal if share == 0 else share * vote_weights(learnt, members) + (1 - share) * equal
            model.start_at_vote(weights)
            return model.eval()

        return fitted

    def linear(learnt: MetaData, name: str) -> MetaClassifier:
        return soup_of_runs(config, learnt, development, name, fingerprint)

    every: dict[str, Fitted] = {
        "vote": voted(0.0),
        "weights, half of them the vote's": voted(0.5),
        "weights": voted(1.0),
        "linear": linear,
    }
    return every if config.meta.join == "evidence" else {config.meta.join: every[config.meta.join]}


def out_of_fold(config: Config, data: TrainingData, rows: Rows, name: str) -> Predictions:
    """One member's predictions of the training rows, each by the model that was not trained on its speaker."""
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
    return concatenated(parts).of_utterances(list(data.utterances[rows]))


def final_predictions(config: Config, name: str) -> Predictions:
    """Development and test predictions of the member that was trained on all training rows."""
    return Predictions.read(member_folder(config, name, None) / last_stage(config) / "predictions.parquet")


def inputs_of(config: Config, members: Sequence[Predictions]) -> Tensor:
    """What the meta-classifier reads of the members' predictions of the same utterances, shape (N, M · (C + 3))."""
    first = members[0].utterances
    if any(not np.array_equal(m.utterances, first) for m in members):
        raise ValueError("the members' predictions are not of the same utterances in the same order.")
    p = torch.from_numpy(np.stack([m.probabilities for m in members])).float()
    attributes = torch.from_numpy(np.stack([m.attributes for m in members])).float()
    return meta_inputs(p, attributes, config.meta.inputs)


def cross_fitted(config: Config, data: TrainingData, learnt: MetaData, fitted: Fitted) -> Joined:
    """Out-of-fold predictions of a candidate: each fold by one that has learnt from the other folds' rows.

    (As always in stacking, the inputs of those other rows come from members that were trained on this fold's speakers.)
    """
    folds = data.folds[data.original[data.train]]
    p, a = np.zeros((len(folds), len(data.categories))), np.zeros((len(folds), len(ATTRIBUTES)))
    for fold in range(config.splits.folds):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        model = fitted(learnt.take(outside), f"fold{fold}")
        p[inside], a[inside] = meta_predict(model, learnt.inputs[inside])
    return Joined(p, a)


def soup_of_runs(
    config: Config, learnt: MetaData, development: MetaData | None, name: str, fingerprint: str
) -> MetaClassifier:
    """Train the runs of a meta-classifier (``meta/<name>/run<r>``) and average them."""
    members = len(config.members)
    runs: list[Weights] = []
    for run in range(config.meta.runs):
        folder = config.output / "meta" / name / f"run{run}"
        if not is_done(folder, fingerprint):
            train_meta(config, learnt, development, members, f"{name}/{run}", folder, fingerprint)
            mark_done(folder, fingerprint)
        stage = "balanced" if config.meta.balanced.epochs else "natural"
        runs.append(read_tensors(folder / stage / "weights.safetensors")[0])
    model = MetaClassifier(members, learnt.soft_labels.shape[1])
    model.load_state_dict(_soup_weights(config, runs, model, development))
    return model.eval()


def _soup_weights(
    config: Config, runs: list[Weights], model: MetaClassifier, development: MetaData | None
) -> dict[str, Tensor]:
    if config.soup == "uniform":
        return uniform_soup(runs)
    if development is None:
        raise ValueError("soup = 'greedy' chooses by development rows, and there are none; use 'uniform'.")

    def score(weights: Weights) -> float:
        model.load_state_dict(dict(weights))
        agreed = np.flatnonzero(development.consensus >= 0)
        p, _ = meta_predict(model, development.inputs[agreed])
        return float(macro_f1(confusion_matrix(development.consensus[agreed], p.argmax(axis=1), p.shape[1])))

    return greedy_soup(runs, score)[0]


def describe_recogniser(
    config: Config, data: TrainingData, fingerprint: str, choice: Choice
) -> RecogniserRecord:
    """What prediction needs beside the weights."""
    sources = FeatureSet(config.features).streams
    agreed = data.consensus[data.train][data.consensus[data.train] >= 0]
    natural = np.bincount(agreed, minlength=len(data.categories)) / max(1, len(agreed))
    rated = bool(config.loss.attributes) and not np.isnan(data.attributes[data.train]).all()
    streams = {}
    for name, frames in data.frames.items():
        view = config.streams[name]
        source = dict(sources[view.stream].extra)
        streams[name] = StreamRecord(view.stream, view.layer, view.pool, frames.dim, frames.layers, source)
    return RecogniserRecord(
        fingerprint=fingerprint,
        categories=data.categories,
        attributes=ATTRIBUTES if rated else (),
        prior=PriorRecord(tuple(natural.tolist()), learnt_prior(config, choice)),
        heard_variants=config.heard_variants,
        meta_inputs=config.meta.inputs,
        architecture=config.architecture,
        streams=streams,
        members=tuple(_member_record(config, member) for member in config.members),
    )


def learnt_prior(config: Config, choice: Choice) -> Literal["natural", "balanced"]:
    """Which frequencies the ensemble stands for: those of the last stage of what is learnt last; a vote has no stage of its own."""
    if choice.chosen == "linear":
        return "balanced" if config.meta.balanced.epochs else "natural"
    deep = all(member.kind == "deep" for member in config.members)
    return "balanced" if deep and config.balanced.epochs else "natural"


def _member_record(config: Config, member: Member) -> MemberRecord:
    weights = f"members/{member.name}/all/{last_stage(config)}/weights.safetensors"
    return MemberRecord(member.name, member.streams, member.kind, weights)


def _meta_data(config: Config, data: TrainingData, members: Sequence[Predictions]) -> MetaData:
    places = {name: i for i, name in enumerate(data.utterances)}
    rows = np.array([places[name] for name in members[0].utterances], dtype=np.int64)
    inputs = inputs_of(config, members)
    return MetaData(inputs, data.consensus[rows], data.soft_labels[rows], data.attributes[rows])


def _development(config: Config, data: TrainingData, final: Sequence[Predictions]) -> MetaData | None:
    if not len(data.development):
        return None
    return _meta_data(config, data, [p.of_split("development") for p in final])


def _joined_by(model: MetaClassifier, config: Config, final: Sequence[Predictions]) -> Predictions:
    rows = final[0]
    p, a = meta_predict(model, inputs_of(config, final))
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


def _joined(output: Path, fingerprint: str) -> bool:
    path = output / RECOGNISER
    return path.exists() and read_json(path)["fingerprint"] == fingerprint

"""A member of the ensemble, trained: on all training rows, or with one fold of speakers held out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tamis.emotion.data import (
    Batch,
    BatchList,
    Predictions,
    Rows,
    TrainingData,
    concatenated,
    confusion_matrix,
    macro_f1,
)
from tamis.emotion.network import (
    Member,
    RidgeSER,
    StreamAdapter,
    draw_mixing,
    hide_streams,
    joint_loss,
    new_member,
)
from tamis.emotion.predict import TrainedMember, predict
from tamis.emotion.train.config import Config
from tamis.emotion.train.sampling import bucketed
from tamis.emotion.train.stages import Recipe, cut, last_stage, member_phases, training_stages
from tamis.storage import write_tensors
from tamis.training import EpochReport, StageResult, fit, seed_from, seeded

MEASURED_UTTERANCES = 2000
"""So many training utterances, evenly spread, suffice for means and deviations of the streams."""


@dataclass(frozen=True)
class ModelRows:
    """Rows that a model is trained on, and those that it then predicts, by split."""

    train: Rows
    predicted: dict[str, Rows]


def rows_of_model(data: TrainingData, fold: int | None) -> ModelRows:
    """Rows of the model with ``fold`` held out, which predicts that fold and nothing else; None: of the final model."""
    if fold is None:
        return ModelRows(data.train, {"development": data.development, "test": data.test})
    outside, inside = data.fold(fold)
    return ModelRows(outside, {"out_of_fold": inside})


def train_member(
    config: Config,
    data: TrainingData,
    member: Member,
    fold: int | None,
    folder: Path,
    fingerprint: str,
    progress: Callable[[EpochReport], None] | None = None,
) -> None:
    """Train, and leave in ``folder`` each stage's weights, history and ``predictions.parquet``."""
    rows = rows_of_model(data, fold)
    seed = seed_from(config.seed, member.name, -1 if fold is None else fold)
    with seeded(seed, "start"):
        model = new_member(
            member.kind, data.stream_shapes(member.streams), len(data.categories), config.architecture
        )
    measure_streams(model, data, rows.train)

    if isinstance(model, RidgeSER):
        solve_member(config, data, model, member, rows, folder)
        return

    def publish(trained: nn.Module, result: StageResult) -> None:
        predict_splits(trained, data, rows, member.streams).write(
            folder / result.name / "predictions.parquet"
        )

    fit(
        model,
        training_stages(member_recipe(config, data, member, rows.train)),
        folder=folder,
        seed=seed,
        fingerprint=fingerprint,
        progress=progress,
        on_stage_end=publish,
    )


def solve_member(
    config: Config, data: TrainingData, model: RidgeSER, member: Member, rows: ModelRows, folder: Path
) -> None:
    """A ridge member has no stages: its solution stands where a deep member's last stage would."""
    batches = BatchList(data, cut(rows.train, config.optimisation.batch_size), member.streams)
    model.requires_grad_(False).eval().solve(batches, config.regularisation.ridge)
    stage = folder / last_stage(config)
    write_tensors(stage / "weights.safetensors", model.state_dict())
    predict_splits(model, data, rows, member.streams).write(stage / "predictions.parquet")


def member_recipe(config: Config, data: TrainingData, member: Member, rows: Rows) -> Recipe:
    """The member's stages: length-bucketed batches, hidden streams, MixUp, joint loss."""
    lengths = data.lengths(member.streams)

    def loss(weights: Tensor | None) -> Callable[[nn.Module, Batch], Tensor]:
        return lambda model, batch: member_loss(config, model, batch, weights)

    return Recipe(
        phases=member_phases(config),
        optimisation=config.optimisation,
        rows=rows,
        consensus=data.consensus,
        soft_labels=data.soft_labels,
        batches=lambda drawn, generator: BatchList(
            data, bucketed(drawn, lengths, config.optimisation.batch_size, generator), member.streams
        ),
        loss=loss,
        validate=development_macro_f1(data, member.streams) if len(data.development) else None,
    )


def member_loss(config: Config, model: nn.Module, batch: Batch, weights: Tensor | None) -> Tensor:
    """Joint loss of a batch with hidden streams and Manifold MixUp: one mixing for representation, labels, attributes."""
    r = config.regularisation
    features, masks = hide_streams(batch.features, batch.masks, r.modality_dropout)
    mixing = draw_mixing(len(batch.rows), r.mixup_probability, r.mixup_alpha, batch.soft_labels.device)
    soft_labels = batch.soft_labels if mixing is None else mixing.blend(batch.soft_labels)
    rated = batch.attributes if mixing is None else mixing.blend(batch.attributes)
    return joint_loss(
        model(features, masks, mixing),
        soft_labels,
        rated,
        category_weight=config.loss.categories,
        attribute_weight=config.loss.attributes,
        weights=None if weights is None else weights.to(soft_labels),
    )


def measure_streams(model: nn.Module, data: TrainingData, rows: Rows) -> None:
    """Give the model's inputs the mean and deviation of the training frames."""
    spread = rows[np.linspace(0, len(rows) - 1, min(len(rows), MEASURED_UTTERANCES)).astype(np.int64)]
    inputs: nn.ModuleDict = model.get_submodule("inputs")  # type: ignore[assignment]
    for name, enter in inputs.items():
        frames = torch.cat([data.frames[name][row] for row in spread])
        if isinstance(enter, StreamAdapter) and len(frames):
            enter.measure(frames)


def predict_rows(
    model: nn.Module, data: TrainingData, rows: Rows, streams: tuple[str, ...]
) -> tuple[Tensor, Tensor]:
    """Probabilities (n, C) and attributes (n, 3) of ``rows``, in their order, as means over their variants.

    Eval mode and gradients are the caller's care.
    """
    variants = [variant[rows] for variant in data.variant_rows]
    probabilities, attributes = predict([TrainedMember(streams, model)], data.frames, variants)
    return probabilities[0], attributes[0]


def predict_splits(
    model: nn.Module, data: TrainingData, model_rows: ModelRows, streams: tuple[str, ...]
) -> Predictions:
    parts = []
    for split, rows in model_rows.predicted.items():
        shape = (0, len(data.categories)), (0, 3)
        p, a = predict_rows(model, data, rows, streams) if len(rows) else map(torch.zeros, shape)
        names = np.full(len(rows), split, dtype=object)
        parts.append(
            Predictions(data.utterances[rows], names, data.categories, p.double().numpy(), a.double().numpy())
        )
    return concatenated(parts)


def development_macro_f1(
    data: TrainingData, streams: tuple[str, ...]
) -> Callable[[nn.Module], dict[str, float]]:
    """Validation: macro-F1 of the development rows on whose category the raters agreed."""
    rows = data.development[data.consensus[data.development] >= 0]
    if not len(rows):
        raise ValueError(
            "training: no development utterance has an agreed category; macro-F1 cannot be watched."
        )

    def validate(model: nn.Module) -> dict[str, float]:
        probabilities, _ = predict_rows(model, data, rows, streams)
        predicted = probabilities.argmax(dim=1).numpy()
        return {
            "macro_f1": float(
                macro_f1(confusion_matrix(data.consensus[rows], predicted, len(data.categories)))
            )
        }

    return validate

"""A member of the ensemble, trained: on all training rows, or with one fold of speakers held out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tamis.emotion.corpora.categories import ATTRIBUTES
from tamis.emotion.data.confusion import confusion_matrix, macro_f1
from tamis.emotion.data.predictions import Predictions, joined
from tamis.emotion.data.sampling import Rows, bucketed
from tamis.emotion.data.training_data import Batch, BatchList, TrainingData
from tamis.emotion.network.losses import joint_loss
from tamis.emotion.network.mixup import draw_mixing
from tamis.emotion.network.modality_dropout import hide_streams
from tamis.emotion.network.new_member import new_member
from tamis.emotion.network.ridge import RidgeSER
from tamis.emotion.network.stream_adapter import StreamInput
from tamis.emotion.train.config import Config, Member
from tamis.emotion.train.stages import Schooling, cut, last_stage, member_phases, training_stages
from tamis.training import EpochReport, StageResult, fit, seed_from, seeded
from tamis.training.written_beside import write_tensors

MEASURED_UTTERANCES = 2000
"""So many training utterances, evenly spread, suffice for means and deviations of the streams."""


@dataclass(frozen=True)
class Seen:
    """Rows a model trains on, and those it then predicts, by split."""

    train: Rows
    predicted: dict[str, Rows]


def seen_by(data: TrainingData, fold: int | None) -> Seen:
    """Rows of the model with ``fold`` held out, which predicts that fold and nothing else; None: of the final model."""
    if fold is None:
        return Seen(data.train, {"development": data.development, "test": data.test})
    outside, inside = data.fold(fold)
    return Seen(outside, {"out_of_fold": inside})


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
    seen = seen_by(data, fold)
    seed = seed_from(config.seed, member.name, -1 if fold is None else fold)
    with seeded(seed, "start"):
        model = new_member(
            member.kind, data.stream_shapes(member.streams), len(data.categories), config.architecture
        )
    measure_streams(model, data, seen.train)

    if isinstance(model, RidgeSER):
        solve_member(config, data, model, member, seen, folder)
        return

    def publish(trained: nn.Module, result: StageResult) -> None:
        predict_splits(trained, data, seen, member.streams).write(
            folder / result.name / "predictions.parquet"
        )

    fit(
        model,
        training_stages(member_schooling(config, data, member, seen.train)),
        folder=folder,
        seed=seed,
        fingerprint=fingerprint,
        progress=progress,
        on_stage_end=publish,
    )


def solve_member(
    config: Config, data: TrainingData, model: RidgeSER, member: Member, seen: Seen, folder: Path
) -> None:
    """A ridge member has no stages: its solution stands where a deep member's last stage would."""
    rows = cut(seen.train, config.optimisation.batch_size)
    model.requires_grad_(False).eval().solve(
        BatchList(data, rows, member.streams), config.regularisation.ridge
    )
    stage = folder / last_stage(config)
    write_tensors(stage / "weights.safetensors", model.state_dict())
    predict_splits(model, data, seen, member.streams).write(stage / "predictions.parquet")


def member_schooling(config: Config, data: TrainingData, member: Member, rows: Rows) -> Schooling:
    """The member's stages: length-bucketed batches, hidden streams, MixUp, joint loss."""
    lengths = data.lengths(member.streams)

    def loss(weights: Tensor | None) -> Callable[[nn.Module, Batch], Tensor]:
        return lambda model, batch: member_loss(config, model, batch, weights)

    return Schooling(
        phases=member_phases(config),
        optimisation=config.optimisation,
        rows=rows,
        labels=data.labels,
        soft=data.soft,
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
    mixing = draw_mixing(len(batch.rows), r.mixup_probability, r.mixup_alpha, batch.soft.device)
    soft = batch.soft if mixing is None else mixing.blend(batch.soft)
    rated = batch.attributes if mixing is None else mixing.blend(batch.attributes)
    return joint_loss(
        model(features, masks, mixing),
        soft,
        rated,
        category_weight=config.loss.categories,
        attribute_weight=config.loss.attributes,
        weights=None if weights is None else weights.to(soft),
    )


def measure_streams(model: nn.Module, data: TrainingData, rows: Rows) -> None:
    """Give the model's inputs the mean and deviation of the training frames."""
    spread = rows[np.linspace(0, len(rows) - 1, min(len(rows), MEASURED_UTTERANCES)).astype(np.int64)]
    inputs: nn.ModuleDict = model.get_submodule("inputs")  # type: ignore[assignment]
    for name, enter in inputs.items():
        frames = torch.cat([data.frames[name][row] for row in spread])
        if isinstance(enter, StreamInput) and len(frames):
            enter.measure(frames)


def predict_rows(
    model: nn.Module, data: TrainingData, rows: Rows, streams: tuple[str, ...], batch_size: int = 64
) -> tuple[Tensor, Tensor]:
    """Probabilities (n, C) and attributes (n, 3) of ``rows``, in their order, on the CPU; eval mode is the caller's care.

    Means over the utterances' versions: geometric ones of the probabilities.
    """
    heard = [_outputs(model, data, versions[rows], streams, batch_size) for versions in data.versions]
    logits, attributes = torch.stack(heard).mean(dim=0).split([len(data.categories), len(ATTRIBUTES)], dim=1)
    return logits.softmax(dim=1), attributes


def _outputs(
    model: nn.Module, data: TrainingData, rows: Rows, streams: tuple[str, ...], batch_size: int
) -> Tensor:
    """Log-probabilities and attributes side by side, (n, C + 3)."""
    device = next(model.parameters()).device
    order = np.argsort(data.lengths(streams)[rows], kind="stable")
    outputs = []
    for i in range(0, len(rows), batch_size):
        batch = data.batch(rows[order[i : i + batch_size]], streams).to(device)
        prediction = model(batch.features, batch.masks)
        outputs.append(
            torch.cat([F.log_softmax(prediction.logits, dim=1), prediction.attributes], dim=1).cpu()
        )
    return torch.cat(outputs)[torch.from_numpy(np.argsort(order, kind="stable"))]


def predict_splits(model: nn.Module, data: TrainingData, seen: Seen, streams: tuple[str, ...]) -> Predictions:
    parts = []
    for split, rows in seen.predicted.items():
        shape = (0, len(data.categories)), (0, 3)
        p, a = predict_rows(model, data, rows, streams) if len(rows) else map(torch.zeros, shape)
        names = np.full(len(rows), split, dtype=object)
        parts.append(
            Predictions(data.utterances[rows], names, data.categories, p.double().numpy(), a.double().numpy())
        )
    return joined(parts)


def development_macro_f1(
    data: TrainingData, streams: tuple[str, ...]
) -> Callable[[nn.Module], dict[str, float]]:
    """Validation: macro-F1 of the development rows on whose category the raters agreed."""
    rows = data.development[data.labels[data.development] >= 0]
    if not len(rows):
        raise ValueError(
            "training: no development utterance has an agreed category; macro-F1 cannot be watched."
        )

    def validate(model: nn.Module) -> dict[str, float]:
        probabilities, _ = predict_rows(model, data, rows, streams)
        predicted = probabilities.argmax(dim=1).numpy()
        return {
            "macro_f1": float(macro_f1(confusion_matrix(data.labels[rows], predicted, len(data.categories))))
        }

    return validate

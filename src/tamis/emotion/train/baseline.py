"""Training of the challenge's baseline (:mod:`tamis.emotion.network.baseline`): hard labels, weighted cross-entropy."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tamis.emotion.data import Batch, BatchList, TrainingData
from tamis.emotion.network import Baseline, soft_cross_entropy
from tamis.emotion.train.config import Config
from tamis.emotion.train.members import ModelRows, development_macro_f1, measure_streams, predict_splits
from tamis.emotion.train.sampling import bucketed
from tamis.emotion.train.settings import Phase
from tamis.emotion.train.stages import Recipe, training_stages
from tamis.training import EpochReport, StageResult, fit, seed_from, seeded

PHASE = Phase(epochs=20, learning_rate=1e-4, weight_power=1.0)


def train_baseline(
    config: Config,
    data: TrainingData,
    folder: Path,
    fingerprint: str,
    progress: Callable[[EpochReport], None] | None = None,
) -> None:
    """Train on the utterances with an agreed category; leave weights, history and predictions in ``folder``."""
    stream = config.baseline_stream
    if stream is None:
        raise ValueError("train_baseline: the configuration names no baseline_stream.")
    rows = data.train[data.consensus[data.train] >= 0]
    model_rows = ModelRows(rows, {"development": data.development, "test": data.test})
    one_hot = np.eye(len(data.categories))[data.consensus.clip(min=0)]
    seed = seed_from(config.seed, "baseline")
    with seeded(seed, "start"):
        model = Baseline(stream, *data.stream_shapes([stream])[stream], len(data.categories))
    measure_streams(model, data, rows)

    def loss(weights: Tensor | None) -> Callable[[nn.Module, Batch], Tensor]:
        def hard(model: nn.Module, batch: Batch) -> Tensor:
            wanted = F.one_hot(torch.from_numpy(data.consensus)[batch.rows.cpu()], len(data.categories)).to(
                batch.soft_labels
            )
            scale = None if weights is None else weights.to(wanted)
            return soft_cross_entropy(model(batch.features, batch.masks).logits, wanted, scale)

        return hard

    def publish(trained: nn.Module, result: StageResult) -> None:
        predict_splits(trained, data, model_rows, (stream,)).write(
            folder / result.name / "predictions.parquet"
        )

    recipe = Recipe(
        phases={"natural": PHASE},
        optimisation=config.optimisation,
        rows=rows,
        consensus=data.consensus,
        soft_labels=one_hot,
        batches=lambda drawn, generator: BatchList(
            data, bucketed(drawn, data.lengths([stream]), config.optimisation.batch_size, generator), [stream]
        ),
        loss=loss,
        validate=development_macro_f1(data, (stream,)) if len(data.development) else None,
    )
    fit(
        model,
        training_stages(recipe),
        folder=folder,
        seed=seed,
        fingerprint=fingerprint,
        progress=progress,
        on_stage_end=publish,
    )

"""The challenge's baseline, re-implemented on cached features: attentive statistics pooling, weighted cross-entropy.

The organisers fine-tune WavLM-large under this head [1]; here the encoder is frozen, as it is for the members, so that the
two can be compared side by side.

References
----------
[1] Naini et al. The Interspeech 2025 challenge on speech emotion recognition in naturalistic conditions. Interspeech 2025.
[2] Okabe, Koshinaka, Shinoda. Attentive statistics pooling for deep speaker embedding. Interspeech 2018.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tamis.emotion.data.sampling import bucketed
from tamis.emotion.data.training_data import Batch, BatchList, TrainingData
from tamis.emotion.network.deepser import Prediction
from tamis.emotion.network.losses import soft_cross_entropy
from tamis.emotion.network.stream_adapter import StreamInput
from tamis.emotion.train.config import Config, Phase
from tamis.emotion.train.members import Seen, development_macro_f1, measure_streams, predict_splits
from tamis.emotion.train.stages import Schooling, training_stages
from tamis.training import EpochReport, StageResult, fit, seed_from, seeded

WIDTH, DROPOUT = 1024, 0.5
PHASE = Phase(epochs=20, learning_rate=1e-4, weight_power=1.0)


class AttentiveStatistics(nn.Module):
    """Mean and deviation over time, each frame weighted by a learned attention; (B, T, D) -> (B, 2 D)."""

    def __init__(self, dim: int, hidden: int = 128) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """mask (B, T) bool, True = real; a row without any gives its padding's statistics, which are zero."""
        attendable = mask | ~mask.any(dim=1, keepdim=True)
        attention = self.score(x).masked_fill(~attendable[..., None], -torch.inf).softmax(dim=1)
        mean = (attention * x).sum(dim=1)
        variance = (attention * (x - mean[:, None]).square()).sum(dim=1)
        return torch.cat([mean, variance.clamp(min=1e-6).sqrt()], dim=1)


class Baseline(nn.Module):
    """One stream, attentive statistics, one hidden layer, categories; it predicts no attributes (NaN)."""

    def __init__(self, stream: str, dim: int, layers: int | None, categories: int) -> None:
        super().__init__()
        self.stream = stream
        self.inputs = nn.ModuleDict({stream: StreamInput(dim, layers, standardise=True)})
        self.pool = AttentiveStatistics(dim)
        self.head = nn.Sequential(
            nn.Linear(2 * dim, WIDTH), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(WIDTH, categories)
        )

    def forward(self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> Prediction:
        mask = masks[self.stream]
        logits = self.head(self.pool(self.inputs[self.stream](features[self.stream], mask), mask))
        return Prediction(logits, logits.new_full((len(logits), 3), torch.nan))


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
    rows = data.train[data.labels[data.train] >= 0]
    seen = Seen(rows, {"development": data.development, "test": data.test})
    one_hot = np.eye(len(data.categories))[data.labels.clip(min=0)]
    seed = seed_from(config.seed, "baseline")
    with seeded(seed, "start"):
        model = Baseline(stream, *data.stream_shapes([stream])[stream], len(data.categories))
    measure_streams(model, data, rows)

    def loss(weights: Tensor | None) -> Callable[[nn.Module, Batch], Tensor]:
        def hard(model: nn.Module, batch: Batch) -> Tensor:
            wanted = F.one_hot(torch.from_numpy(data.labels)[batch.rows.cpu()], len(data.categories)).to(
                batch.soft
            )
            scale = None if weights is None else weights.to(wanted)
            return soft_cross_entropy(model(batch.features, batch.masks).logits, wanted, scale)

        return hard

    def publish(trained: nn.Module, result: StageResult) -> None:
        predict_splits(trained, data, seen, (stream,)).write(folder / result.name / "predictions.parquet")

    schooling = Schooling(
        phases={"natural": PHASE},
        optimisation=config.optimisation,
        rows=rows,
        labels=data.labels,
        soft=one_hot,
        batches=lambda drawn, generator: BatchList(
            data, bucketed(drawn, data.lengths([stream]), config.optimisation.batch_size, generator), [stream]
        ),
        loss=loss,
        validate=development_macro_f1(data, (stream,)) if len(data.development) else None,
    )
    fit(
        model,
        training_stages(schooling),
        folder=folder,
        seed=seed,
        fingerprint=fingerprint,
        progress=progress,
        on_stage_end=publish,
    )

"""Training of the meta-classifier, on what the members predict of unseen speakers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tamis.emotion.data import Rows, confusion_matrix, macro_f1
from tamis.emotion.network import MetaClassifier, joint_loss, soft_cross_entropy
from tamis.emotion.train.config import Config
from tamis.emotion.train.settings import Optimisation
from tamis.emotion.train.stages import Recipe, cut, meta_phases, training_stages
from tamis.training import fit, seed_from, seeded

VOTE_STEPS, VOTE_RATE = 500, 0.3


@dataclass(frozen=True)
class MetaData:
    """What the meta-classifier learns from.

    Attributes
    ----------
    inputs : shape (N, M · (C + 3)), float32
        Outputs of all members, from :func:`tamis.emotion.network.meta_inputs`.
    consensus : shape (N,)
        Plurality, negative = no agreement.
    soft_labels : shape (N, C)
        The hard label that is learnt is the first of the largest shares, as published.
    attributes : shape (N, 3)
        NaN where not rated.
    """

    inputs: Tensor
    consensus: npt.NDArray[np.int64]
    soft_labels: npt.NDArray[np.float64]
    attributes: npt.NDArray[np.float64]

    def one_hot(self) -> npt.NDArray[np.float64]:
        hard: npt.NDArray[np.float64] = np.eye(self.soft_labels.shape[1])[self.soft_labels.argmax(axis=1)]
        return hard

    def take(self, rows: Rows) -> "MetaData":
        return MetaData(
            self.inputs[rows], self.consensus[rows], self.soft_labels[rows], self.attributes[rows]
        )


def train_meta(
    config: Config,
    data: MetaData,
    development: MetaData | None,
    members: int,
    run: str,
    folder: Path,
    fingerprint: str,
) -> MetaClassifier:
    """One run, ``run`` naming its randomness: stages ``natural`` and ``balanced`` on the members' outputs."""
    seed = seed_from(config.seed, "meta", run)
    with seeded(seed, "start"):
        model = MetaClassifier(members, data.soft_labels.shape[1])
    if config.meta.start == "vote":
        model.start_at_vote(torch.full((members,), 1 / members))
    elif config.meta.start == "weighted_vote":
        model.start_at_vote(vote_weights(data, members))
    start = model.linear.weight.detach().clone()
    stages = training_stages(meta_recipe(config, data, development, start))
    fit(model, stages, folder=folder, seed=seed, fingerprint=fingerprint)
    return model.cpu().eval()


def vote_weights(data: MetaData, members: int) -> Tensor:
    """The weight of every member, shape (M,), none negative, with which their mean predicts the hard labels best."""
    known = np.flatnonzero(~np.isnan(data.soft_labels).any(axis=1))
    blocks = data.inputs[known].double().unflatten(1, (members, -1))[..., : data.soft_labels.shape[1]]
    labels = torch.from_numpy(data.soft_labels[known].argmax(axis=1))
    weights = torch.full((members,), 1 / members, dtype=torch.float64)
    # Multiplicative updates of a convex loss: no weight changes its sign, and there is no step size to fail.
    for _ in range(VOTE_STEPS):
        gradient = torch.func.grad(lambda w: F.cross_entropy(torch.einsum("nmc,m->nc", blocks, w), labels))(
            weights
        )
        weights = weights * torch.exp(-VOTE_RATE * gradient)
    return weights.float()


def meta_recipe(config: Config, data: MetaData, development: MetaData | None, start: Tensor) -> Recipe:
    one_hot = torch.from_numpy(data.one_hot()).float()
    rated = torch.from_numpy(data.attributes).float()

    def loss(weights: Tensor | None) -> Callable[[nn.Module, Tensor], Tensor]:
        def joint(model: nn.Module, rows: Tensor) -> Tensor:
            device = rows.device
            chosen = rows.cpu()
            error = joint_loss(
                model(data.inputs[chosen].to(device)),
                one_hot[chosen].to(device),
                rated[chosen].to(device),
                category_weight=config.loss.categories,
                attribute_weight=config.loss.attributes,
                weights=None if weights is None else weights.to(device),
            )
            weight = model.get_parameter("linear.weight")
            return error + config.meta.pull * (weight - start.to(device)).square().sum() / len(data.consensus)

        return joint

    return Recipe(
        phases=meta_phases(config),
        optimisation=Optimisation(config.meta.batch_size, weight_decay=0.0, clip_norm=None),
        rows=np.arange(len(data.consensus)),
        consensus=data.consensus,
        soft_labels=data.one_hot(),
        batches=lambda drawn, _: [torch.from_numpy(rows) for rows in cut(drawn, config.meta.batch_size)],
        loss=loss,
        validate=_development_macro_f1(development) if development is not None else None,
    )


def _development_macro_f1(data: MetaData) -> Callable[[nn.Module], dict[str, float]]:
    agreed = np.flatnonzero(data.consensus >= 0)

    def validate(model: nn.Module) -> dict[str, float]:
        device = next(model.parameters()).device
        predicted = model(data.inputs[agreed].to(device)).logits.argmax(dim=1).cpu().numpy()
        return {
            "macro_f1": float(
                macro_f1(confusion_matrix(data.consensus[agreed], predicted, data.soft_labels.shape[1]))
            )
        }

    return validate


def calibrate(model: MetaClassifier, logits: Tensor, vote_shares: Tensor) -> None:
    """Set ``temperature`` to the one under which held-out ``logits`` (N, C) fit ``vote_shares`` (N, C) best.

    References
    ----------
    [1] Guo et al. On calibration of modern neural networks. ICML 2017.
    """
    logits, vote_shares = logits.double(), vote_shares.double()
    candidates = torch.logspace(-1.5, 1.5, 301, dtype=torch.float64)
    losses = torch.stack([soft_cross_entropy(logits / t, vote_shares) for t in candidates])
    model.temperature.fill_(float(candidates[losses.argmin()]))

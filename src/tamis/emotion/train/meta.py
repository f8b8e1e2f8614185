"""The meta-classifier: one linear layer that joins the members' outputs, learnt from what they say of unseen speakers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tamis.emotion.corpora.categories import ATTRIBUTES
from tamis.emotion.data.confusion import confusion_matrix, macro_f1
from tamis.emotion.data.predictions import Predictions
from tamis.emotion.data.sampling import Rows
from tamis.emotion.network.deepser import Prediction
from tamis.emotion.network.losses import joint_loss, soft_cross_entropy
from tamis.emotion.train.config import Config, Optimisation
from tamis.emotion.train.stages import Schooling, cut, meta_phases, training_stages
from tamis.training import fit, seed_from, seeded

SMALLEST_PROBABILITY = 1e-4
VOTE_STEPS, VOTE_RATE = 500, 0.3


@dataclass(frozen=True)
class MetaData:
    """What the meta-classifier learns from.

    Attributes
    ----------
    inputs : shape (N, M · (C + 3)), float32
        Outputs of all members, from :func:`meta_inputs`.
    labels : shape (N,)
        Plurality, negative = no agreement.
    soft : shape (N, C)
        Soft labels; the hard label that is learnt is the first of the largest shares, as published.
    attributes : shape (N, 3)
        NaN where not rated.
    """

    inputs: Tensor
    labels: npt.NDArray[np.int64]
    soft: npt.NDArray[np.float64]
    attributes: npt.NDArray[np.float64]

    def one_hot(self) -> npt.NDArray[np.float64]:
        hard: npt.NDArray[np.float64] = np.eye(self.soft.shape[1])[self.soft.argmax(axis=1)]
        return hard

    def take(self, rows: Rows) -> "MetaData":
        return MetaData(self.inputs[rows], self.labels[rows], self.soft[rows], self.attributes[rows])


def meta_inputs(members: Sequence[Predictions], kind: str) -> Tensor:
    """Members' outputs side by side, shape (N, M · (C + 3)), float32.

    Parameters
    ----------
    members : sequence of Predictions
        Of the same utterances in the same order.
    kind : "probabilities" or "log_probabilities"
        Of which the C first numbers of each member are; the other three are its attributes (0 where it has none).
    """
    first = members[0].utterances
    if any(not np.array_equal(m.utterances, first) for m in members):
        raise ValueError(
            "meta_inputs: the members' predictions are not of the same utterances in the same order."
        )
    blocks = []
    for member in members:
        p = torch.tensor(member.probabilities, dtype=torch.float32)
        p = p.clamp(min=SMALLEST_PROBABILITY).log() if kind == "log_probabilities" else p
        blocks += [p, torch.tensor(member.attributes, dtype=torch.float32).nan_to_num(0.0)]
    return torch.cat(blocks, dim=1)


class MetaClassifier(nn.Module):
    """Linear layer from M · (C + 3) member outputs to C logits and 3 attributes.

    ``temperature`` divides the logits; it is 1 until it is calibrated.
    """

    temperature: Tensor

    def __init__(self, members: int, categories: int) -> None:
        super().__init__()
        self.categories = categories
        outputs = categories + len(ATTRIBUTES)
        self.linear = nn.Linear(members * outputs, outputs)
        self.register_buffer("temperature", torch.ones(()))

    def start_at_vote(self, weights: Tensor) -> None:
        """Begin as the members' mean with ``weights`` (M,): with logarithms as inputs, a geometric mean of distributions.

        Attributes get the weights brought to sum to one.
        """
        outputs = self.linear.out_features
        blocks = torch.eye(outputs).repeat(len(weights), 1, 1) * weights[:, None, None]
        blocks[:, self.categories :] /= weights.sum()
        with torch.no_grad():
            self.linear.weight.copy_(torch.cat(list(blocks), dim=1))
            self.linear.bias.zero_()

    def forward(self, inputs: Tensor) -> Prediction:
        out = self.linear(inputs)
        return Prediction(out[:, : self.categories] / self.temperature, out[:, self.categories :])


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
        model = MetaClassifier(members, data.soft.shape[1])
    if config.meta.start == "vote":
        model.start_at_vote(torch.full((members,), 1 / members))
    elif config.meta.start == "weighted_vote":
        model.start_at_vote(vote_weights(data, members))
    start = model.linear.weight.detach().clone()
    stages = training_stages(meta_schooling(config, data, development, start))
    fit(model, stages, folder=folder, seed=seed, fingerprint=fingerprint)
    return model.cpu().eval()


def vote_weights(data: MetaData, members: int) -> Tensor:
    """The weight of every member, shape (M,), none negative, with which their mean predicts the hard labels best."""
    known = np.flatnonzero(~np.isnan(data.soft).any(axis=1))
    blocks = data.inputs[known].double().unflatten(1, (members, -1))[..., : data.soft.shape[1]]
    labels = torch.from_numpy(data.soft[known].argmax(axis=1))
    weights = torch.full((members,), 1 / members, dtype=torch.float64)
    # Multiplicative updates of a convex loss: no weight changes its sign, and there is no step size to fail.
    for _ in range(VOTE_STEPS):
        gradient = torch.func.grad(lambda w: F.cross_entropy(torch.einsum("nmc,m->nc", blocks, w), labels))(
            weights
        )
        weights = weights * torch.exp(-VOTE_RATE * gradient)
    return weights.float()


def meta_schooling(config: Config, data: MetaData, development: MetaData | None, start: Tensor) -> Schooling:
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
            return error + config.meta.pull * (weight - start.to(device)).square().sum() / len(data.labels)

        return joint

    return Schooling(
        phases=meta_phases(config),
        optimisation=Optimisation(config.meta.batch_size, weight_decay=0.0, clip_norm=None),
        rows=np.arange(len(data.labels)),
        labels=data.labels,
        soft=data.one_hot(),
        batches=lambda drawn, _: [torch.from_numpy(rows) for rows in cut(drawn, config.meta.batch_size)],
        loss=loss,
        validate=_development_macro_f1(development) if development is not None else None,
    )


def _development_macro_f1(data: MetaData) -> Callable[[nn.Module], dict[str, float]]:
    agreed = np.flatnonzero(data.labels >= 0)

    def validate(model: nn.Module) -> dict[str, float]:
        device = next(model.parameters()).device
        predicted = model(data.inputs[agreed].to(device)).logits.argmax(dim=1).cpu().numpy()
        return {
            "macro_f1": float(macro_f1(confusion_matrix(data.labels[agreed], predicted, data.soft.shape[1])))
        }

    return validate


def meta_predict(
    model: MetaClassifier, inputs: Tensor
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Calibrated probabilities (N, C) and attributes (N, 3), those brought within 1..7."""
    with torch.no_grad():
        out = model(inputs)
    return F.softmax(out.logits.double(), dim=1).numpy(), out.attributes.double().clamp(1, 7).numpy()


def calibrate(model: MetaClassifier, logits: Tensor, soft: Tensor) -> None:
    """Set ``temperature`` to the one under which held-out ``logits`` (N, C) fit the votes ``soft`` (N, C) best.

    References
    ----------
    [1] Guo et al. On calibration of modern neural networks. ICML 2017.
    """
    logits, soft = logits.double(), soft.double()
    candidates = torch.logspace(-1.5, 1.5, 301, dtype=torch.float64)
    losses = torch.stack([soft_cross_entropy(logits / t, soft) for t in candidates])
    model.temperature.fill_(float(candidates[losses.argmin()]))

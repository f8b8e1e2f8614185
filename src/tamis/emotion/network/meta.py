"""The meta-classifier: one linear layer that joins the members' outputs."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tamis.emotion.corpora import ATTRIBUTES
from tamis.emotion.network.deepser import Prediction

SMALLEST_PROBABILITY = 1e-4
MetaInputs = Literal["probabilities", "log_probabilities"]


def meta_inputs(probabilities: Tensor, attributes: Tensor, kind: MetaInputs) -> Tensor:
    """Members' outputs side by side.

    Parameters
    ----------
    probabilities : Tensor, shape (M, N, C), float32
    attributes : Tensor, shape (M, N, 3), float32
        NaN where a member has none; it counts as 0.
    kind : "probabilities" or "log_probabilities"
        Of which the C first numbers of each member are.

    Returns
    -------
    Tensor, shape (N, M · (C + 3)), float32
    """
    p = probabilities.clamp(min=SMALLEST_PROBABILITY).log() if kind == "log_probabilities" else probabilities
    return torch.cat([p, attributes.nan_to_num(0.0)], dim=2).transpose(0, 1).flatten(1)


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


def meta_predict(
    model: MetaClassifier, inputs: Tensor
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Calibrated probabilities (N, C) and attributes (N, 3), those brought within 1..7."""
    with torch.no_grad():
        out = model(inputs)
    return F.softmax(out.logits.double(), dim=1).numpy(), out.attributes.double().clamp(1, 7).numpy()

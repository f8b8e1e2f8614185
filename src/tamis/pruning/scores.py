"""How much each weight matters: a number per weight, higher stays.

To add a score, write a function (weight, input norms) -> score and name it in ``SCORES``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Compare = Literal["row", "layer", "model"]


@dataclass(frozen=True)
class Score:
    """A way to rank weights.

    Attributes
    ----------
    name : str
    of : callable
        (weight (m, k), input norms (k,) float64 or None) -> score (m, k), float32 or float64, of any scale.
    compare : "row", "layer" or "model"
        Which weights compete with each other unless the caller says otherwise.
    calibrated : bool
        Whether ``of`` needs the norms of the layer's input columns, and so a calibration run.
    """

    name: str
    of: Callable[[Tensor, Tensor | None], Tensor]
    compare: Compare = "layer"
    calibrated: bool = False


def magnitude(weight: Tensor, input_norms: Tensor | None = None) -> Tensor:
    """|w|, so that the score of a block is its L1 norm."""
    return weight.abs().to(torch.promote_types(weight.dtype, torch.float32))


def wanda(weight: Tensor, input_norms: Tensor | None = None) -> Tensor:
    """|w_ij| · ‖x_j‖₂: how much a weight can contribute on the calibration inputs.

    References
    ----------
    [1] Sun, Liu, Bair, Kolter. A Simple and Effective Pruning Approach for Large Language Models. ICLR 2024.
    """
    if input_norms is None:
        raise ValueError(
            "wanda(weight, input_norms=None): expected the norms of the layer's k input columns."
        )
    return magnitude(weight) * input_norms.to(weight.device)


SCORES = {
    score.name: score
    for score in (
        Score("magnitude", magnitude),
        Score("wanda", wanda, compare="row", calibrated=True),
    )
}

"""A stage of training as a record: what is drawn, what is minimised, for how long, and which weights stay."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn


class Batches(Protocol):
    """One epoch of batches, of known number. Tensors, and objects with ``.to(device)``, move to the model's device."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


@dataclass(frozen=True)
class Stage:
    """One stretch of training.

    Parameters
    ----------
    name : str
        Also the name of the stage's folder, and part of its randomness.
    epochs : int
        At most so many.
    batches : callable (epoch, generator) -> Batches
        The batches of one epoch; every random draw comes from ``generator``.
    loss : callable (model, batch) -> Tensor
        The scalar to minimise. Draws from torch's global generator are seeded per epoch.
    optimizer : callable (parameters) -> Optimizer
    schedule : callable (progress) -> float, optional
        Factor on the learning rate, from the share of the stage that is done, 0 <= progress < 1.
    accumulate : int
        Batches per optimizer step; the last step of an epoch takes what is left.
    clip_norm : float, optional
        Largest norm of the gradient.
    after_step : callable (model) -> None, optional
        Called after every optimizer step, without gradients, with the model itself: to keep the zeros of a pruned model,
        for example. What it does must depend on the model alone, or a resumed run differs.
    validate : callable (model) -> dict of str to float, optional
        Called after every epoch, in eval mode, without gradients.
    monitor : str, optional
        The validated figure that decides about ``patience`` and ``keep="best"``; more is better.
    patience : int, optional
        Stop after so many epochs without a better ``monitor``.
    keep : "last" or "best"
        Which epoch's weights the stage ends with.
    """

    name: str
    epochs: int
    batches: Callable[[int, torch.Generator], Batches]
    loss: Callable[[nn.Module, Any], Tensor]
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    schedule: Callable[[float], float] | None = None
    accumulate: int = 1
    clip_norm: float | None = None
    after_step: Callable[[nn.Module], None] | None = None
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None
    monitor: str | None = None
    patience: int | None = None
    keep: Literal["last", "best"] = "last"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.accumulate < 1:
            raise ValueError(
                f"Stage({self.name!r}): epochs={self.epochs}, accumulate={self.accumulate}; both must be at least 1."
            )
        if (self.keep == "best" or self.patience is not None) and (
            self.monitor is None or self.validate is None
        ):
            raise ValueError(
                f"Stage({self.name!r}): keep='best' and patience need `validate` and the `monitor` they watch."
            )


@dataclass(frozen=True)
class StageResult:
    """How a stage went: one record per epoch (``loss``, then the validated figures), and the epoch that was kept."""

    name: str
    history: tuple[Mapping[str, float], ...]
    kept_epoch: int


@dataclass(frozen=True)
class EpochReport:
    """News of one finished epoch, for progress displays."""

    stage: str
    epoch: int
    epochs: int
    figures: Mapping[str, float]
    seconds: float

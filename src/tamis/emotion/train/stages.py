"""The four stages of MEDUSA, as data.

1. ``natural``: members learn from the data as it comes, ambiguous utterances included, with class weights.
2. ``balanced``: they go on with as many utterances of every category, and as many ambiguous ones, drawn anew each epoch.
3. ``meta``: a linear layer learns to join the members from their out-of-fold predictions.
4. ``soup``: several of those layers are averaged.

Stages 1 and 2 are records for :func:`tamis.training.fit`, made here, for members and, over other batches, for the
meta-classifier; :mod:`tamis.emotion.train.meta` has 3, :mod:`tamis.emotion.train.soup` has 4.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tamis.emotion.data import Rows
from tamis.emotion.network import class_weights
from tamis.emotion.train.config import Config
from tamis.emotion.train.sampling import balanced, natural
from tamis.emotion.train.settings import Optimisation, Phase
from tamis.training import Batches, Stage

Draw = Literal["natural", "balanced"]


@dataclass(frozen=True)
class Recipe:
    """What the stages ``natural`` and ``balanced`` of a model are made from.

    Attributes
    ----------
    phases : mapping of draw to Phase
    rows : Rows
        Training rows.
    consensus : shape (N,)
        Plurality of every row of the index; negative = ambiguous.
    soft_labels : shape (N, C)
        Targets of every row, for the class weights.
    batches : callable (rows, generator) -> Batches
        Cuts the rows of an epoch into batches.
    loss : callable (weights) -> callable (model, batch) -> Tensor
        The loss, given class weights or None.
    validate : callable (model) -> mapping, optional
        With a figure ``macro_f1``; None where there are no development rows.
    """

    phases: Mapping[Draw, Phase]
    optimisation: Optimisation
    rows: Rows
    consensus: npt.NDArray[np.int64]
    soft_labels: npt.NDArray[np.float64]
    batches: Callable[[Rows, torch.Generator], Batches]
    loss: Callable[[Tensor | None], Callable[[nn.Module, Any], Tensor]]
    validate: Callable[[nn.Module], Mapping[str, float]] | None


def training_stages(recipe: Recipe) -> tuple[Stage, ...]:
    """The stages ``natural`` and ``balanced``, without those that have no epochs."""
    return tuple(_stage(recipe, draw, phase) for draw, phase in recipe.phases.items() if phase.epochs)


def member_phases(config: Config) -> Mapping[Draw, Phase]:
    return {"natural": config.natural, "balanced": config.balanced}


def meta_phases(config: Config) -> Mapping[Draw, Phase]:
    return {"natural": config.meta.natural, "balanced": config.meta.balanced}


def last_stage(config: Config) -> str:
    """The members' stage whose weights and predictions count."""
    return "balanced" if config.balanced.epochs else "natural"


def _stage(recipe: Recipe, draw: Draw, phase: Phase) -> Stage:
    if phase.patience is not None and recipe.validate is None:
        raise ValueError(
            f"stage {draw!r} has patience {phase.patience}, but there are no development rows to watch; name a "
            "development split, or leave patience out (out-of-fold rows must stay unseen)."
        )
    weights = None
    if phase.weight_power:
        weights = class_weights(torch.from_numpy(recipe.soft_labels[recipe.rows]).float(), phase.weight_power)
    o = recipe.optimisation
    return Stage(
        name=draw,
        epochs=phase.epochs,
        batches=lambda _, generator: recipe.batches(_draw(recipe, draw, generator), generator),
        loss=recipe.loss(weights),
        optimizer=lambda parameters: torch.optim.AdamW(
            parameters, lr=phase.learning_rate, weight_decay=o.weight_decay
        ),
        schedule=lambda progress: learning_rate_factor(progress, phase.warmup, phase.decay),
        accumulate=o.accumulate,
        clip_norm=o.clip_norm,
        validate=recipe.validate,
        monitor="macro_f1" if recipe.validate else None,
        patience=phase.patience,
        keep="best" if phase.patience else "last",
    )


def _draw(recipe: Recipe, draw: Draw, generator: torch.Generator) -> Rows:
    if draw == "natural":
        return natural(recipe.rows, generator)
    return balanced(recipe.rows, recipe.consensus[recipe.rows], generator)


def learning_rate_factor(progress: float, warmup: float, decay: Literal["none", "cosine"]) -> float:
    """Rise along the share ``warmup``, then stay, or fall along half a cosine; progress in 0..1."""
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    if decay == "none":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def cut(rows: Rows, size: int) -> Sequence[Rows]:
    """Batches of ``size`` rows in the given order; the last may be smaller."""
    return [rows[i : i + size] for i in range(0, len(rows), size)]

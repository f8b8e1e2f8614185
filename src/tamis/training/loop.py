"""The loop. Every training in tamis runs through :func:`fit`."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from tamis.storage import write_json, write_tensors
from tamis.training.randomness import seeded
from tamis.training.resume import load_state, save_state
from tamis.training.stage import EpochReport, Stage, StageResult

logger = logging.getLogger(__name__)


def fit(
    model: nn.Module,
    stages: Sequence[Stage],
    *,
    folder: Path,
    seed: int,
    fingerprint: str = "",
    fabric: Fabric | None = None,
    progress: Callable[[EpochReport], None] | None = None,
    on_stage_end: Callable[[nn.Module, StageResult], None] | None = None,
) -> list[StageResult]:
    """Train ``model`` in place through ``stages``, and write each stage's weights and history.

    A run that was killed, at any moment, and is called again with the same arguments ends with the same weights: state is
    written after every epoch, and an epoch's randomness depends on (seed, stage, epoch) alone.

    Parameters
    ----------
    model : nn.Module
        Starts with its present weights; a resumed run overwrites them.
    stages : sequence of Stage
        Run in order, each from the weights the one before has kept. Names must differ.
    folder : Path
        Receives ``<stage>/weights.safetensors`` and ``<stage>/history.json``, and the private ``resume.pt``.
    seed : int
    fingerprint : str
        Of everything that shapes the result; a folder with another one is an error, not a wrong resume.
    fabric : Fabric, optional
        Device and precision; the default is one accelerator if there is one, else the CPU.
    progress : callable, optional
        Called after every epoch; the default logs.
    on_stage_end : callable (model, result), optional
        Called with the kept weights in the model, eval mode, without gradients, before the stage counts as done.
        It may be called again after a kill, with the same weights.

    Returns
    -------
    list of StageResult
    """
    if len({stage.name for stage in stages}) < len(stages):
        raise ValueError(f"fit: two stages have the same name: {[stage.name for stage in stages]}.")
    fabric = fabric or Fabric(accelerator="auto", devices=1)
    state = load_state(folder / "resume.pt", fingerprint) or _fresh_state(model)
    model.load_state_dict(state["model"])
    while state["stage"] < len(stages):
        _run_stage(
            model,
            stages[state["stage"]],
            state,
            fabric,
            folder,
            seed,
            fingerprint,
            progress or _log,
            on_stage_end,
        )
    return [StageResult(r["name"], tuple(r["history"]), r["kept_epoch"]) for r in state["results"]]


def _fresh_state(model: nn.Module) -> dict[str, Any]:
    return {"stage": 0, "results": [], "model": _copy(model), **_fresh_stage_state()}


def _fresh_stage_state() -> dict[str, Any]:
    return {"epoch": 0, "history": [], "optimizer": None, "best_epoch": -1, "best_model": None}


def _copy(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _run_stage(
    model: nn.Module,
    stage: Stage,
    state: dict[str, Any],
    fabric: Fabric,
    folder: Path,
    seed: int,
    fingerprint: str,
    progress: Callable[[EpochReport], None],
    on_stage_end: Callable[[nn.Module, StageResult], None] | None,
) -> None:
    wrapped, optimizer = fabric.setup(
        model, stage.optimizer(p for p in model.parameters() if p.requires_grad)
    )
    base_rates = [group["lr"] for group in optimizer.param_groups]
    if state["optimizer"] is not None:
        optimizer.load_state_dict(state["optimizer"])
    while not _finished(stage, state):
        start = time.perf_counter()
        with seeded(seed, stage.name, state["epoch"]) as generator:
            loss = _run_epoch(wrapped, optimizer, base_rates, stage, state["epoch"], generator, fabric)
        figures = {"loss": loss, **_validate(wrapped, stage)}
        _record_epoch(state, stage, model, optimizer, figures)
        if not _finished(stage, state):
            save_state(folder / "resume.pt", fingerprint, state)
        seconds = time.perf_counter() - start
        progress(EpochReport(stage.name, state["epoch"], stage.epochs, figures, seconds))
    _end_stage(model, stage, state, folder, on_stage_end)
    save_state(folder / "resume.pt", fingerprint, state)


def _finished(stage: Stage, state: dict[str, Any]) -> bool:
    waited = state["epoch"] - 1 - state["best_epoch"]
    return state["epoch"] >= stage.epochs or (stage.patience is not None and waited >= stage.patience)


def _run_epoch(
    model: Any,
    optimizer: Any,
    base_rates: list[float],
    stage: Stage,
    epoch: int,
    generator: torch.Generator,
    fabric: Fabric,
) -> float:
    """One pass over the stage's batches; returns the mean loss of a batch."""
    batches = stage.batches(epoch, generator)
    count = len(batches)
    if count == 0:
        raise ValueError(
            f"fit: stage {stage.name!r} has no batch in epoch {epoch}; is its training set empty?"
        )
    model.train()
    total = 0.0
    for i, batch in enumerate(batches):
        group = min(stage.accumulate, count - i // stage.accumulate * stage.accumulate)
        last_of_group = (i + 1) % stage.accumulate == 0 or i + 1 == count
        with fabric.no_backward_sync(model, enabled=not last_of_group):
            loss = stage.loss(model, fabric.to_device(batch))
            fabric.backward(loss / group)
        total += _checked(loss.item(), stage, epoch, i)
        if last_of_group:
            _step(model, optimizer, base_rates, stage, (epoch + i / count) / stage.epochs, fabric)
    return total / count


def _step(
    model: Any, optimizer: Any, base_rates: list[float], stage: Stage, progress: float, fabric: Fabric
) -> None:
    factor = stage.schedule(progress) if stage.schedule else 1.0
    for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
        group["lr"] = rate * factor
    if stage.clip_norm is not None:
        fabric.clip_gradients(model, optimizer, max_norm=stage.clip_norm)
    optimizer.step()
    optimizer.zero_grad()
    if stage.after_step is not None:
        with torch.no_grad():
            stage.after_step(
                model.module
            )  # without Fabric's wrapper, so that parameters have their own names


def _checked(loss: float, stage: Stage, epoch: int, batch: int) -> float:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"fit: the loss is {loss} in stage {stage.name!r}, epoch {epoch}, batch {batch}; "
            "look for NaN in the data, or lower the learning rate."
        )
    return loss


def _validate(model: nn.Module, stage: Stage) -> dict[str, float]:
    if stage.validate is None:
        return {}
    model.eval()
    with torch.no_grad():
        return {name: float(figure) for name, figure in stage.validate(model).items()}


def _record_epoch(
    state: dict[str, Any], stage: Stage, model: nn.Module, optimizer: Any, figures: dict[str, float]
) -> None:
    if stage.monitor is not None:
        if stage.monitor not in figures:
            raise ValueError(
                f"fit: stage {stage.name!r} monitors {stage.monitor!r}, but validation gave {list(figures)}."
            )
        if not math.isfinite(figures[stage.monitor]):
            raise FloatingPointError(
                f"fit: stage {stage.name!r} monitors {stage.monitor!r}, which is {figures[stage.monitor]}."
            )
        if figures[stage.monitor] > max((h[stage.monitor] for h in state["history"]), default=-math.inf):
            state["best_epoch"], state["best_model"] = state["epoch"], _copy(model)
    state["history"].append(figures)
    state["epoch"] += 1
    state["model"], state["optimizer"] = _copy(model), optimizer.state_dict()


def _end_stage(
    model: nn.Module,
    stage: Stage,
    state: dict[str, Any],
    folder: Path,
    on_stage_end: Callable[[nn.Module, StageResult], None] | None,
) -> None:
    kept = state["best_epoch"] if stage.keep == "best" else state["epoch"] - 1
    if stage.keep == "best":
        model.load_state_dict(state["best_model"])
    result = StageResult(stage.name, tuple(state["history"]), kept)
    write_tensors(folder / stage.name / "weights.safetensors", model.state_dict())
    write_json(folder / stage.name / "history.json", {"kept_epoch": kept, "epochs": list(result.history)})
    if on_stage_end is not None:
        model.eval()
        with torch.no_grad():
            on_stage_end(model, result)
    record = {"name": stage.name, "history": list(result.history), "kept_epoch": kept}
    state.update(
        _fresh_stage_state(),
        stage=state["stage"] + 1,
        model=_copy(model),
        results=[*state["results"], record],
    )


def _log(report: EpochReport) -> None:
    figures = "  ".join(f"{name} {figure:.4f}" for name, figure in report.figures.items())
    logger.info("%s %d/%d  %s  %.1f s", report.stage, report.epoch, report.epochs, figures, report.seconds)

"""The tour itself: prune, sparsify, judge, and time a sentence encoder in many configurations."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from tamis.models import SparsifyReport, sparsify
from tamis.nn import SparseLinear
from tamis.pruning import NOfM, parse_pattern
from tamis.tour.calibration_sentences import CALIBRATION
from tamis.tour.environment import environment
from tamis.tour.mixture import Choice, Option, mix
from tamis.tour.packed_dense import packed_dense
from tamis.tour.pruned import Encoder, Judge, in_encoder, linear_weights, median_sentence, other_bytes
from tamis.tour.rows import Configuration, Damage, LayerRow, ModelRow, Speed, Tour
from tamis.tuning import Timing, time_interleaved
from tamis.workloads import SENTENCES

SCORE = "wanda"

# Sentences on which single layers are tried; whole mixtures are judged on all.
SAMPLE = 24

# What a layer may lose alone and still be of use in a mixture; more is not even tried.
MOST_LOST = 0.02

# (stage, done, total or None if unknown, what is being done)
Progress = Callable[[str, int, int | None, str], None]


@dataclass(frozen=True)
class Options:
    """What to run.

    Attributes
    ----------
    sparsities, patterns : tuples
        Their product is measured; an N:M pattern has one sparsity, its own.
    aims : tuple of float
        Mean cosines on the calibration sentences that mixtures aim at; a little above 0.98, since they are judged on others.
    scores : tuple of str
        Whose damage is compared, beside the one in use.
    calibration : int
        Sentences to calibrate with, drawn by ``seed``.
    layer_s, batch_s, single_s : float
        Seconds to time a layer, the whole models on the batch, and on one sentence.
    """

    sparsities: tuple[float, ...] = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    patterns: tuple[str, ...] = ("unstructured", "4x1")
    aims: tuple[float, ...] = (0.99, 0.984)
    scores: tuple[str, ...] = ("magnitude",)
    calibration: int = 48
    seed: int = 0
    layer_s: float = 0.04
    batch_s: float = 30.0
    single_s: float = 5.0
    command: str = "tamis tour"

    def quick(self) -> Options:
        """Reduce to what fits in a minute: fewer configurations, shorter timing."""
        return replace(
            self,
            sparsities=self.sparsities if self.sparsities != Options.sparsities else (0.2, 0.5, 0.8),
            aims=self.aims[-1:],
            scores=(),
            layer_s=0.02,
            batch_s=6.0,
            single_s=1.5,
        )

    def configurations(self) -> list[Configuration]:
        """The product of patterns and sparsities, in order."""
        found = []
        for pattern in self.patterns:
            cut = parse_pattern(pattern)
            own = (cut.sparsity,) if isinstance(cut, NOfM) else self.sparsities
            found += [Configuration(pattern, sparsity) for sparsity in own]
        return list(dict.fromkeys(found))


@dataclass(eq=False)
class _Entry:
    """A sparsified model on its way to a row."""

    configuration: Configuration
    model: nn.Module
    sparsity: float
    masks: dict[str, Tensor]
    report: SparsifyReport


def run(encoder: Encoder, name: str, options: Options, progress: Progress) -> Tour:
    """Prune and sparsify copies of an encoder, and measure them beside the dense one.

    Parameters
    ----------
    encoder : Encoder
        Left unchanged.
    name : str
        Of the model, for the page.
    options : Options
    progress : callable
        See ``Progress``.
    """
    draw = random.Random(options.seed).sample(CALIBRATION, options.calibration)
    judge = Judge(encoder, SENTENCES)
    batch = encoder.tokens(SENTENCES)
    single = encoder.tokens([median_sentence(batch, SENTENCES)])
    entries = list(_uniform(encoder, options, draw, batch, progress))
    entries += _mixed(encoder, options, entries, draw, batch, progress)
    damages = tuple(_damages(encoder, options, draw, judge, progress))
    models = {"dense": encoder.model} | {entry.configuration.name: entry.model for entry in entries}
    packed = packed_dense(encoder, batch["input_ids"].numel())
    if packed is not None:
        models["dense, packed"] = packed
    progress("timing whole models", 0, None, f"{len(models)} models take turns")
    batch_times = _times(models, batch, options.batch_s)
    single_times = _times(models, single, options.single_s)
    return Tour(
        model=name,
        sentences=len(SENTENCES),
        tokens=int(batch["attention_mask"].sum()),
        padded_tokens=batch["input_ids"].numel(),
        single_tokens=single["input_ids"].numel(),
        calibration=len(draw),
        dense_batch=batch_times["dense"],
        dense_single=single_times["dense"],
        packed_batch=batch_times.get("dense, packed"),
        packed_single=single_times.get("dense, packed"),
        dense_bytes=sum(weight.nbytes for weight in linear_weights(encoder.model).values()),
        other_bytes=other_bytes(encoder.model),
        rows=tuple(_row(entry, judge, batch_times, single_times) for entry in entries),
        damages=damages,
        environment=environment(options.command),
    )


def _uniform(
    encoder: Encoder,
    options: Options,
    calibration: Sequence[str],
    batch: Mapping[str, Tensor],
    progress: Progress,
) -> Iterator[_Entry]:
    configurations = options.configurations()
    for done, configuration in enumerate(configurations):
        tell = partial(
            _tell_layers, progress, "pruning and planning", configuration, done, len(configurations)
        )
        tell(0, 1, "pruning")
        model, masks = encoder.pruned(configuration, SCORE, calibration)
        yield _sparsified(configuration, model, masks, batch, options.layer_s, tell)


def _mixed(
    encoder: Encoder,
    options: Options,
    entries: Sequence[_Entry],
    calibration: Sequence[str],
    batch: Mapping[str, Tensor],
    progress: Progress,
) -> Iterator[_Entry]:
    """Give each layer what it tolerates, out of the uniform configurations, whose layers have been timed."""
    judge = Judge(encoder, calibration)
    masks = {entry.configuration: entry.masks for entry in entries}
    ways = _single_layers(encoder, entries, Judge(encoder, calibration[:SAMPLE]), progress)

    def masks_of(choice: Choice) -> dict[str, Tensor]:
        return {
            f"{layer}.weight": masks[way.configuration][f"{layer}.weight"] for layer, way in choice.items()
        }

    for done, aim in enumerate(options.aims):
        configuration = Configuration("mixed", None, aim)
        tell = partial(_tell_layers, progress, "mixing", configuration, done, len(options.aims))
        tell(0, 1, "choosing")
        choice = mix(ways, lambda c: judge.mean_cosine(encoder.masked(masks_of(c))), aim)
        if choice:
            chosen = masks_of(choice)
            yield _sparsified(configuration, encoder.masked(chosen), chosen, batch, options.layer_s, tell)


def _single_layers(
    encoder: Encoder, entries: Sequence[_Entry], judge: Judge, progress: Progress
) -> dict[str, list[Option]]:
    """Prune one layer at a time, wherever its sparse form was faster, and see what the embeddings lose."""
    weights = linear_weights(encoder.model)
    model = encoder.copy()
    ways: dict[str, list[Option]] = {layer: [] for layer in weights}
    for done, (layer, own) in enumerate(linear_weights(model).items()):
        progress("finding what each layer tolerates", done, len(weights), layer)
        ruined: set[str] = set()
        for entry in sorted(entries, key=lambda e: e.configuration.sparsity or 0.0):
            saved = _saved_ms(entry, layer)
            mask = entry.masks.get(f"{layer}.weight")
            if saved <= 0 or mask is None or entry.configuration.pattern in ruined:
                continue
            with torch.no_grad():
                own.copy_(weights[layer] * mask)
            lost = 1 - judge.mean_cosine(model)
            if lost > MOST_LOST:
                ruined.add(entry.configuration.pattern)
            else:
                ways[layer].append(Option(entry.configuration, saved, lost))
        with torch.no_grad():
            own.copy_(weights[layer])
    return ways


def _saved_ms(entry: _Entry, layer: str) -> float:
    row = next((row for row in entry.report.rows if row.name == layer), None)
    if row is None or row.dense_ms is None or row.sparse_ms is None:
        return 0.0
    return row.dense_ms - row.sparse_ms


def _sparsified(
    configuration: Configuration,
    model: nn.Module,
    masks: dict[str, Tensor],
    batch: Mapping[str, Tensor],
    layer_s: float,
    tell: Callable[[int, int, str], None],
) -> _Entry:
    weights = linear_weights(model).values()
    zeros = 1 - sum(int(w.count_nonzero()) for w in weights) / sum(w.numel() for w in weights)
    report = sparsify(model, batch, where=in_encoder, budget_s=layer_s, progress=tell)
    return _Entry(configuration, model, zeros, masks, report)


def _damages(
    encoder: Encoder,
    options: Options,
    calibration: Sequence[str],
    judge: Judge,
    progress: Progress,
) -> Iterator[Damage]:
    pairs = [(score, c) for score in options.scores for c in options.configurations()]
    for done, (score, configuration) in enumerate(pairs):
        progress("comparing scores", done, len(pairs), f"{score}, {configuration.name}")
        model, _ = encoder.pruned(configuration, score, calibration)
        yield Damage(score, configuration, judge.mean_cosine(model))


def _times(
    models: Mapping[str, nn.Module], tokens: Mapping[str, Tensor], budget_s: float
) -> dict[str, Speed]:
    with torch.inference_mode():
        timings = time_interleaved(
            {name: partial(model, **tokens) for name, model in models.items()}, budget_s=budget_s
        )
    return {name: _speed(timing) for name, timing in timings.items()}


def _speed(timing: Timing) -> Speed:
    return Speed(timing.median_us / 1000, timing.q1_us / 1000, timing.q3_us / 1000, timing.waiting)


def _row(
    entry: _Entry, judge: Judge, batch_times: Mapping[str, Speed], single_times: Mapping[str, Speed]
) -> ModelRow:
    cosines = judge.cosines(entry.model)
    name = entry.configuration.name
    return ModelRow(
        configuration=entry.configuration,
        sparsity=entry.sparsity,
        mean_cosine=float(cosines.mean()),
        min_cosine=float(cosines.min()),
        batch=batch_times[name],
        single=single_times[name],
        layers=tuple(_layer_rows(entry)),
    )


def _layer_rows(entry: _Entry) -> Iterator[LayerRow]:
    for row in entry.report.rows:
        if not in_encoder(row.name, entry.model):
            row = replace(row, reason="the embedding does not use it")
        elif f"{row.name}.weight" not in entry.masks and entry.configuration.pattern == "mixed":
            row = replace(row, reason="left whole by the mixture")
        module = entry.model.get_submodule(row.name)
        if isinstance(module, SparseLinear):
            bias = 0 if module.bias is None else module.bias.nbytes
            yield LayerRow(row, module.plan.at(max(row.tokens)).crossover, 0, module.nbytes - bias)
        else:
            yield LayerRow(row, None, row.dense_bytes, 0)


def _tell_layers(
    progress: Progress,
    stage: str,
    configuration: Configuration,
    done: int,
    total: int,
    layers_done: int,
    layers: int,
    layer: str,
) -> None:
    """Report one bar for all configurations, in steps of layers."""
    progress(
        stage,
        done * 100 + round(100 * layers_done / max(layers, 1)),
        total * 100,
        f"{configuration.name}: {layer}",
    )

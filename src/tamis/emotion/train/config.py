"""The configuration of a training run: every setting, its default and its bounds stand here, and only here.

A TOML file names what differs. ``preset = "paper"`` (or another file of ``presets/``) puts that preset's values underneath.
"""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from tamis.emotion.data.packed_frames import Layer, Pool
from tamis.emotion.data.targets import Other
from tamis.emotion.network.settings import Architecture

STRICT = ConfigDict(extra="forbid")
Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]


@dataclass(frozen=True, config=STRICT)
class Splits:
    """Which utterances are learnt from, watched, and measured on.

    ``train``, ``development`` and ``test`` list values of the index's split column. The training rows are dealt into
    ``folds`` by speaker, for out-of-fold predictions. With ``outer_folds`` the split column does not matter: all rows are
    dealt into so many folds by speaker, and ``outer_fold`` is the test set.
    """

    train: tuple[str, ...] = ("train",)
    development: tuple[str, ...] = ("development",)
    test: tuple[str, ...] = ("test",)
    folds: Annotated[int, Field(ge=2)] = 5
    outer_folds: Annotated[int, Field(ge=2)] | None = None
    outer_fold: Count = 0


@dataclass(frozen=True, config=STRICT)
class Targets:
    """From votes to soft labels (:mod:`tamis.emotion.data.targets`).

    ``no_agreement="drop"`` leaves out training utterances whose raters have no plurality.
    """

    rule: Literal["primary", "secondary", "all_inclusive", "hard"] = "primary"
    smoothing: Share = 0.0
    other: Other = "drop"
    no_agreement: Literal["keep", "drop"] = "keep"


@dataclass(frozen=True, config=STRICT)
class Stream:
    """A view of a stream of the feature set: which layer, and how frames are pooled (``packed_frames``)."""

    stream: str
    layer: Layer = "all"
    pool: Annotated[Pool, Field(union_mode="left_to_right")] = 1


@dataclass(frozen=True, config=STRICT)
class Member:
    """One model of the ensemble: a name, the streams it reads, and whether it is a DeepSER or a ridge regression."""

    name: Name
    streams: tuple[str, ...]
    kind: Literal["deep", "ridge"] = "deep"


@dataclass(frozen=True, config=STRICT)
class Optimisation:
    """AdamW and its batches; ``accumulate`` batches make a step."""

    batch_size: Positive = 32
    accumulate: Positive = 1
    weight_decay: Weight = 0.01
    clip_norm: Rate | None = 1.0


@dataclass(frozen=True, config=STRICT)
class Loss:
    """Weights of the soft cross-entropy and of the attributes' squared error."""

    categories: Weight = 1.0
    attributes: Weight = 0.1


@dataclass(frozen=True, config=STRICT)
class Regularisation:
    """Manifold MixUp (probability per batch, Beta(alpha, alpha)), the share of streams hidden in training, and the strength
    of ridge members (:meth:`tamis.emotion.network.ridge.RidgeSER.solve`)."""

    mixup_probability: Annotated[float, Field(ge=0, le=1)] = 0.3
    mixup_alpha: Rate = 0.2
    modality_dropout: Share = 0.1
    ridge: Rate = 1.0


@dataclass(frozen=True, config=STRICT)
class Phase:
    """How long and how fast a stage trains.

    ``weight_power`` is the exponent of the class weights (0 = none). The learning rate rises over the share ``warmup`` of the
    stage, then stays or falls along a cosine. ``patience`` counts epochs without a better macro-F1 on the development rows;
    the best epoch's weights stay then, else the last's. ``epochs = 0`` leaves the stage out.
    """

    epochs: Count
    learning_rate: Rate
    weight_power: Weight = 0.0
    warmup: Share = 0.0
    decay: Literal["none", "cosine"] = "none"
    patience: Positive | None = None


@dataclass(frozen=True, config=STRICT)
class Meta:
    """The meta-classifier: one linear layer over all members' outputs, trained ``runs`` times for the soup.

    ``inputs`` are the members' probabilities (as published) or their logarithms. ``start`` is at random numbers (as published),
    at the members' mean (``"vote"``), or at their weighted mean with the best weight for each member (``"weighted_vote"``);
    ``pull`` is the strength of the quadratic pull back to the start.
    """

    inputs: Literal["probabilities", "log_probabilities"] = "log_probabilities"
    start: Literal["vote", "weighted_vote", "random"] = "vote"
    pull: Weight = 1.0
    runs: Positive = 6
    batch_size: Positive = 128
    natural: Phase = Phase(epochs=20, learning_rate=3e-3, weight_power=0.5)
    balanced: Phase = Phase(epochs=20, learning_rate=1e-3)


@dataclass(frozen=True, config=STRICT)
class Config:
    """A whole training run. Paths are relative to the file they stand in.

    An utterance is predicted as the mean over itself and its ``heard_variants``, which the feature set must hold.
    """

    features: Path
    output: Path
    streams: dict[Name, Stream]
    members: Annotated[tuple[Member, ...], Field(min_length=1)]
    seed: int = 0
    processes: Positive = 1
    threads: Positive = 1
    baseline_stream: str | None = None
    heard_variants: tuple[str, ...] = ()
    splits: Splits = Splits()
    targets: Targets = Targets()
    architecture: Architecture = Architecture()
    optimisation: Optimisation = Optimisation()
    loss: Loss = Loss()
    regularisation: Regularisation = Regularisation()
    natural: Phase = Phase(epochs=20, learning_rate=5e-4, weight_power=0.5, warmup=0.1)
    balanced: Phase = Phase(epochs=10, learning_rate=2e-4, decay="cosine")
    meta: Meta = Meta()
    soup: Literal["uniform", "greedy"] = "uniform"

    def __post_init__(self) -> None:
        if any(isinstance(s.pool, int) and s.pool < 1 for s in self.streams.values()):
            raise ValueError("pool must be at least 1 frame, or 'statistics'")
        if len({m.name for m in self.members}) < len(self.members):
            raise ValueError(f"two members have the same name: {[m.name for m in self.members]}")
        wanted = {s for m in self.members for s in m.streams} | {s for s in (self.baseline_stream,) if s}
        if missing := sorted(wanted - set(self.streams)):
            raise ValueError(f"members hear streams that [streams] does not describe: {', '.join(missing)}")
        if any(len(set(m.streams)) < len(m.streams) or not m.streams for m in self.members):
            raise ValueError("every member needs at least one stream, and none twice")
        if (
            self.natural.epochs + self.balanced.epochs == 0
            or self.meta.natural.epochs + self.meta.balanced.epochs == 0
        ):
            raise ValueError("members and meta-classifier need at least one stage with epochs")
        if self.splits.outer_folds is not None and self.splits.outer_fold >= self.splits.outer_folds:
            raise ValueError(f"outer_fold {self.splits.outer_fold} is not one of {self.splits.outer_folds}")


def load_config(path: str | Path, changes: Mapping[str, Any] | None = None) -> Config:
    """Read a TOML file; ``changes`` are nested keys that go on top (command-line options, ablations).

    Raises
    ------
    ValueError  for unknown keys (naming the nearest known one) and values out of bounds, all of them at once.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not TOML: {error}.") from error
    config = parse_config(merged(content, changes or {}), where=str(path))
    return replace(config, features=path.parent / config.features, output=path.parent / config.output)


def parse_config(content: Mapping[str, Any], where: str = "config") -> Config:
    """Validate nested settings, with their preset underneath."""
    rest = dict(content)
    preset = rest.pop("preset", None)
    below = merged(_section_defaults(), load_preset(preset)) if preset else _section_defaults()
    try:
        return TypeAdapter(Config).validate_python(merged(below, rest))
    except ValidationError as error:
        problems = "\n".join(f"  {_problem(e)}" for e in error.errors())
        raise ValueError(f"{where}: {error.error_count()} setting(s) cannot be used:\n{problems}") from None


def load_preset(name: str) -> dict[str, Any]:
    """Settings of a preset that comes with tamis."""
    folder = files("tamis.emotion.train") / "presets"
    known = sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))
    if name not in known:
        raise ValueError(f"preset {name!r} is not known; there are {', '.join(known)}.")
    return tomllib.loads((folder / f"{name}.toml").read_text())


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings ``above`` over ``below``; lists are replaced as wholes."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def resolved(config: Config) -> dict[str, Any]:
    """All settings as plain values, for files and fingerprints."""
    plain: dict[str, Any] = TypeAdapter(Config).dump_python(config, mode="json")
    return plain


def _section_defaults() -> dict[str, Any]:
    """Sections as they are by default, so that a file may set a part of one."""
    return {f.name: asdict(f.default) for f in fields(Config) if is_dataclass(f.default)}  # type: ignore[arg-type]


def _problem(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    if error["type"] != "unexpected_keyword_argument":
        return f"{where or 'settings'}: {error['msg']} (got {_short(error['input'])})"
    known = _known_keys(error["loc"][:-1])
    nearest = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(known)}."
    return f"{where}: no such setting; {hint}"


def _known_keys(location: Sequence[str | int]) -> list[str]:
    kind: Any = Config
    for part in location:
        kind = get_type_hints(kind)[part] if is_dataclass(kind) and isinstance(part, str) else _element(kind)
    return [f.name for f in fields(_section(kind))] if _section(kind) else []


def _element(kind: Any) -> Any:
    return next((arg for arg in reversed(get_args(kind)) if is_dataclass(arg)), kind)


def _section(kind: Any) -> Any:
    return kind if is_dataclass(kind) else _element(kind) if is_dataclass(_element(kind)) else None


def _short(value: Any) -> str:
    text = repr(asdict(value) if is_dataclass(value) and not isinstance(value, type) else value)
    return text if len(text) <= 60 else text[:57] + "..."

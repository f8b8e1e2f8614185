"""The configuration of a training run, composed of the settings of the rooms that it goes through.

Every setting, its default and its bounds stand in one of ``data/settings.py``, ``network/settings.py``, ``train/settings.py``
or here. A TOML file names what differs. ``preset = "paper"`` (or another file of ``presets/``) puts that preset's values
underneath.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PositiveInt
from pydantic.dataclasses import dataclass

from tamis.emotion.data import DataSettings, Splits, StreamView, Targets
from tamis.emotion.network import Architecture, Loss, Member, Name, Regularisation
from tamis.emotion.train.settings import Meta, Optimisation, Phase
from tamis.storage import fingerprint, plain, read_record, read_toml


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Config:
    """A whole training run. Paths are relative to the file they stand in.

    ``heard_variants`` are augmented variants, which the feature set must hold: an utterance is predicted as the mean over
    itself and them.
    """

    features: Path
    output: Path
    streams: dict[Name, StreamView]
    members: Annotated[tuple[Member, ...], Field(min_length=1)]
    seed: int = 0
    processes: PositiveInt = 1
    threads: PositiveInt = 1
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
            raise ValueError(f"members read streams that [streams] does not describe: {', '.join(missing)}")
        if any(len(set(m.streams)) < len(m.streams) or not m.streams for m in self.members):
            raise ValueError("every member needs at least one stream, and none twice")
        if (
            self.natural.epochs + self.balanced.epochs == 0
            or self.meta.natural.epochs + self.meta.balanced.epochs == 0
        ):
            raise ValueError("members and meta-classifier need at least one stage with epochs")
        if self.splits.outer_folds is not None and self.splits.outer_fold >= self.splits.outer_folds:
            raise ValueError(f"outer_fold {self.splits.outer_fold} is not one of {self.splits.outer_folds}")

    @property
    def data(self) -> DataSettings:
        """The part that decides what data is loaded."""
        return DataSettings(
            self.features, self.streams, self.splits, self.targets, self.heard_variants, self.seed
        )


def load_config(path: str | Path, changes: Mapping[str, Any] | None = None) -> Config:
    """Read a TOML file; ``changes`` are nested keys that go on top (command-line options, ablations).

    Raises
    ------
    ValueError  for unknown keys (naming the nearest known one) and values out of bounds, all of them at once.
    """
    path = Path(path)
    config = parse_config(merged(read_toml(path), changes or {}), where=str(path))
    return replace(config, features=path.parent / config.features, output=path.parent / config.output)


def parse_config(content: Mapping[str, Any], where: str = "config") -> Config:
    """Validate nested settings, with their preset underneath."""
    rest = dict(content)
    preset = rest.pop("preset", None)
    below = merged(_section_defaults(), load_preset(preset)) if preset else _section_defaults()
    return read_record(Config, merged(below, rest), where)


def load_preset(name: str) -> dict[str, Any]:
    """Settings of a preset that comes with tamis."""
    folder = Path(str(files("tamis.emotion.train"))) / "presets"
    known = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in known:
        raise ValueError(f"preset {name!r} is not known; there are {', '.join(known)}.")
    return read_toml(folder / f"{name}.toml")


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings ``above`` over ``below``; lists are replaced as wholes."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def run_fingerprint(config: Config) -> str:
    """Hash of everything that shapes a run's numbers: the settings, and the index of the feature set."""
    settings = {k: v for k, v in plain(config).items() if k not in ("processes", "features", "output")}
    index = b"".join(
        path.read_bytes()
        for name in ("set.json", "index.parquet", "index.csv")
        if (path := config.features / name).is_file()
    )
    return fingerprint(json.dumps(settings, sort_keys=True).encode() + index)


def _section_defaults() -> dict[str, Any]:
    """Sections as they are by default, so that a file may set a part of one."""
    return {f.name: asdict(f.default) for f in fields(Config) if is_dataclass(f.default)}  # type: ignore[arg-type]

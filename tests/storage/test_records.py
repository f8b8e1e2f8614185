"""Records from files: every mistake is named with its place, and with its cure where there is one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic.dataclasses
import pytest
from pydantic import ConfigDict, Field

from tamis.storage import STRICT, plain, read_record


@dataclass(frozen=True)
class Layer:
    kind: str
    rate: float = 1.0


@dataclass(frozen=True)
class Model:
    """A plain dataclass: strict about types."""

    __pydantic_config__ = STRICT
    name: str
    threads: int
    points: tuple[tuple[int, float], ...] = ()
    layers: dict[str, Layer] = field(default_factory=dict)
    best: Layer | None = None


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Settings:
    """One of pydantic's: with bounds, and checked when it is made in code too."""

    epochs: Annotated[int, Field(gt=0)] = 1
    folder: Path = Path()
    rule: Literal["a", "b"] = "a"
    models: tuple[Layer, ...] = ()

    def __post_init__(self) -> None:
        if self.epochs > 100:
            raise ValueError("that many epochs take a year")


GOOD: dict[str, Any] = {"name": "m", "threads": 2, "points": [[1, 2.5], [2, 3]]}


def test_a_record_and_its_plain_values_are_the_same() -> None:
    model = read_record(Model, {**GOOD, "layers": {"0": {"kind": "x"}}}, "here")
    assert model == Model("m", 2, ((1, 2.5), (2, 3.0)), {"0": Layer("x")})
    assert read_record(Model, plain(model), "here") == model
    settings = read_record(Settings, {"folder": Path("a"), "models": ({"kind": "x", "rate": 2},)}, "here")
    assert settings == Settings(folder=Path("a"), models=(Layer("x", 2.0),))
    assert read_record(Settings, plain(settings), "here") == settings


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (Model, {"thraeds": 1}, "here: unknown key 'thraeds'; did you mean 'threads'?"),
        (Model, {"zzzz": 1}, "here: unknown key 'zzzz'; known: name, threads, points, layers, best."),
        (Model, {"layers": {"0": {"kind": "x", "raet": 1}}}, "layers.0: unknown key 'raet'; did you mean 'rate'?"),
        (Model, {"best": {"kind": "x", "kinds": 1}}, "best: unknown key 'kinds'; did you mean 'kind'?"),
        (Model, {"name": None}, "here: name is NoneType, expected str (got None)."),
        (Model, {"threads": "2"}, "here: threads is str, expected int (got '2')."),
        (Model, {"threads": True}, "here: threads is bool, expected int (got True)."),
        (Model, {"layers": []}, "here: layers is list, expected dict (got [])."),
        (Model, {"layers": {"0": {}}}, "here: layers.0: key 'kind' is missing."),
        (Settings, {"epochs": 0}, "here: epochs: Input should be greater than 0 (got 0)"),
        (Settings, {"epochs": 101}, "here: that many epochs take a year"),
        (Settings, {"rule": "c"}, "here: rule: Input should be 'a' or 'b' (got 'c')"),
        (Settings, {"models": [{"kind": "x"}, {"kidn": 1}]}, "models.1: unknown key 'kidn'; did you mean 'kind'?"),
        (Settings, {"rule": "c" * 100}, "(got 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccc...)"),
    ],
)  # fmt: skip
def test_mistakes(kind: type, change: dict[str, Any], message: str) -> None:
    content = {**GOOD, **change} if kind is Model else change
    with pytest.raises(ValueError, match=re.escape(message)):
        read_record(kind, content, "here")


def test_all_mistakes_at_once() -> None:
    with pytest.raises(
        ValueError, match=r"^c.toml: 2 values cannot be used:\n  epochs: .*\n  unknown key 'x'"
    ):
        read_record(Settings, {"epochs": -1, "x": 1}, "c.toml")


@pytest.mark.parametrize("content", [[], "text", 3, None])
def test_no_object_at_all(content: Any) -> None:
    with pytest.raises(ValueError, match=r"here: .*\(got "):
        read_record(Model, content, "here")

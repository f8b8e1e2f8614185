"""The code and the configuration of docs/emotion-training.md run."""

import re
import tomllib
from pathlib import Path

import pytest

from tamis.emotion.train.config import parse_config

PAGE = Path(__file__).parents[3] / "docs" / "emotion-training.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    exec(compile(code, PAGE.name, "exec"), {})


def test_the_configuration_is_valid() -> None:
    (settings,) = blocks("toml")
    config = parse_config(tomllib.loads(settings))
    assert config.baseline_stream in config.streams

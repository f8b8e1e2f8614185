"""Configurations: defaults, presets, and mistakes that are named with their cure."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tamis.emotion.network.settings import PAPER, Architecture
from tamis.emotion.train.config import load_config, load_preset, merged, parse_config
from tamis.storage import plain

MINIMAL: dict[str, Any] = {
    "features": "f",
    "output": "o",
    "streams": {"a": {"stream": "whisper"}},
    "members": [{"name": "m", "streams": ["a"]}],
}


def test_defaults_and_nesting() -> None:
    config = parse_config(merged(MINIMAL, {"natural": {"epochs": 3}, "targets": {"other": "keep"}}))
    assert config.natural.epochs == 3
    assert config.natural.learning_rate == parse_config(MINIMAL).natural.learning_rate
    assert config.architecture == Architecture()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lerning": 1}, r"unknown key 'lerning'"),
        ({"procesess": 2}, r"did you mean 'processes'\?"),
        ({"architecture": {"widht": 3}}, r"architecture: unknown key 'widht'; did you mean 'width'\?"),
        (
            {"streams": {"a": {"stream": "w", "pol": 2}}},
            r"streams\.a: unknown key 'pol'; did you mean 'pool'\?",
        ),
        (
            {"members": [{"name": "m", "stream": ["a"]}]},
            r"members\.0: unknown key 'stream'; did you mean 'streams'",
        ),
        (
            {"meta": {"natural": {"epohcs": 1}}},
            r"meta\.natural: unknown key 'epohcs'; did you mean 'epochs'",
        ),
        ({"natural": {"epochs": -1}}, r"natural\.epochs: .*greater than or equal to 0 \(got -1\)"),
        ({"targets": {"rule": "mean"}}, r"targets\.rule: .*'primary'"),
        ({"members": [{"name": "m", "streams": ["b"]}]}, "streams that .streams. does not describe: b"),
        ({"members": [{"name": "../m", "streams": ["a"]}]}, r"members\.0\.name"),
        ({"members": []}, "members"),
        ({"members": [{"name": "m", "streams": ["a"]}] * 2}, "two members have the same name"),
        ({"natural": {"epochs": 0}, "balanced": {"epochs": 0}}, "at least one stage"),
        ({"splits": {"outer_folds": 3, "outer_fold": 3}}, "not one of 3"),
        ({"streams": {"a": {"stream": "w", "pool": 0}}}, "pool must be"),
        ({"streams": {"a": {"stream": "w", "pool": "max"}}}, r"streams\.a\.pool"),
        ({"preset": "papr"}, "there are paper, tuned"),
    ],
)
def test_mistakes(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_config(merged(MINIMAL, change))


def test_all_mistakes_at_once() -> None:
    with pytest.raises(ValueError, match=r"2 values cannot be used:\n.*seed.*\n.*width"):
        parse_config(merged(MINIMAL, {"architecture": {"width": 0}, "seed": "x"}))


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        'features = "f"\noutput = "o"\n[streams.a]\nstream = "w"\n[[members]]\nname = "m"\nstreams = ["a"]\n'
    )
    config = load_config(tmp_path / "c.toml", {"seed": 4})
    assert config.features == tmp_path / "f"
    assert config.output == tmp_path / "o"
    assert config.seed == 4
    (tmp_path / "c.toml").write_text("features = ")
    with pytest.raises(ValueError, match="not TOML"):
        load_config(tmp_path / "c.toml")


def test_paper_preset_is_the_paper() -> None:
    config = parse_config({"preset": "paper", "features": "f", "output": "o"})
    assert asdict(config.architecture) == asdict(PAPER)
    assert len(config.members) == 14
    assert all(len(m.streams) in (2, 3) for m in config.members)
    assert len({m.streams for m in config.members}) == 14
    assert (config.loss.categories, config.loss.attributes) == (1.5, 0.4)
    assert config.optimisation.batch_size * config.optimisation.accumulate == 32
    assert (config.natural.epochs, config.natural.weight_power, config.balanced.patience) == (4, 0.5, 8)
    assert (config.regularisation.mixup_probability, config.regularisation.mixup_alpha) == (0.3, 0.2)
    assert (config.meta.runs, config.meta.inputs, config.meta.start) == (6, "probabilities", "random")


@pytest.mark.parametrize("name", ["paper", "tuned"])
def test_presets_load(name: str) -> None:
    config = parse_config({"preset": name, "features": "f", "output": "o"})
    assert load_preset(name)
    again = parse_config(plain(config))
    assert again == config

"""What `tamis.bench.emotion.ravdess` compares the ensemble with, on a synthetic set: all of the same utterances, none a copy."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightning_fabric")
pytest.importorskip("sklearn")
pytest.importorskip("soundfile")

from tamis.bench.emotion.ravdess import earlier_stages, probes
from tamis.emotion.data import SynthRecipe, write_synthetic
from tamis.emotion.evaluation import evaluate
from tamis.emotion.train import load_config, train

SETTINGS = """
features = "set"
output = "run"
[splits]
folds = 2
outer_folds = 2
[streams]
audio = { stream = "audio" }
mean = { stream = "audio", layer = "joined", pool = "statistics" }
[architecture]
width = 16
heads = 2
hidden = 16
[natural]
epochs = 1
learning_rate = 3e-3
[balanced]
epochs = 1
learning_rate = 1e-3
[meta]
join = "linear"
start = "weighted_vote"
runs = 2
natural = { epochs = 1, learning_rate = 1e-2 }
balanced = { epochs = 1, learning_rate = 1e-2 }
[[members]]
name = "deep"
streams = ["audio"]
[[members]]
name = "ridge"
streams = ["mean"]
kind = "ridge"
"""


def test_contestants(tmp_path: Path) -> None:
    categories = ("angry", "sad", "calm")
    write_synthetic(tmp_path / "set", SynthRecipe(speakers=8, utterances=6, categories=categories))
    (tmp_path / "run.toml").write_text(SETTINGS)
    train(tmp_path / "run.toml")
    config = load_config(tmp_path / "run.toml")
    earlier, linear = earlier_stages(config), probes(config)
    assert set(earlier) == {"member/deep after stage 1", "one meta-classifier"}
    assert {"ridge/audio/0", "ridge/audio", "ridge/text", "ridge/everything"} <= set(linear)
    models = evaluate(tmp_path / "run.toml", others={**earlier, **linear}).models.set_index("model")
    assert (models["utterances"] == 48).all()
    assert models["uar_gain"].drop("ensemble").notna().all()
    for one, other in (("member/deep", "member/deep after stage 1"), ("ensemble", "one meta-classifier")):
        assert not np.isclose(models["jsd"][one], models["jsd"][other], atol=1e-9)

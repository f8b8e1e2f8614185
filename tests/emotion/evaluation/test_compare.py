"""Evaluation and ablation of a small training, from files to tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tamis.emotion.data import FeatureSet, SynthRecipe, load, pack, write_synthetic
from tamis.emotion.evaluation.ablations import ablate
from tamis.emotion.evaluation.compare import evaluate
from tamis.emotion.evaluation.probe import logistic_probe, probe_streams, ridge_probe
from tamis.emotion.train import load_config, train

SETTINGS = """
features = "set"
output = "run"
baseline_stream = "audio"
[splits]
folds = 2
[streams]
audio = { stream = "audio" }
text = { stream = "text" }
[architecture]
width = 16
heads = 2
hidden = 16
[optimisation]
batch_size = 16
[natural]
epochs = 8
learning_rate = 3e-3
[balanced]
epochs = 2
learning_rate = 1e-3
[meta]
runs = 2
[[members]]
name = "audio"
streams = ["audio"]
[[members]]
name = "both"
streams = ["audio", "text"]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("evaluate")
    recipe = SynthRecipe(
        speakers=16, utterances=10, categories=("angry", "sad", "calm"), clarity=4.0, agreement=0.8
    )
    write_synthetic(place / "set", recipe)
    (place / "run.toml").write_text(SETTINGS)
    train(place / "run.toml")
    return place


def test_tables(place: Path) -> None:
    result = evaluate(place / "run.toml", slices=("gender", "nothing"))
    models = result.models.set_index("model")
    assert set(models.index) == {"ensemble", "member/audio", "member/both", "soft vote", "baseline"}
    assert (models["uar_low"] <= models["uar"]).all()
    assert (models["uar"] <= models["uar_high"]).all()
    assert models["uar"]["ensemble"] > 0.6, "clear synthetic categories are learnt"
    assert np.isnan(models["uar_gain"]["ensemble"])
    gain = models["uar"]["ensemble"] - models["uar"]["member/audio"]
    assert models["uar_gain"]["member/audio"] == pytest.approx(gain)
    assert set(result.slices["value"]) == {"f", "m"}
    assert result.categories["category"].tolist() == ["angry", "sad", "calm"]
    written = pd.read_csv(place / "run" / "evaluation" / "test_models.csv")
    assert written["model"].tolist() == result.models["model"].tolist()


@pytest.mark.parametrize("split", ["out_of_fold", "development"])
def test_other_splits(place: Path, split: str) -> None:
    models = evaluate(place / "run.toml", split=split).models.set_index("model")
    assert models["uar"]["ensemble"] > 0.5


def test_missing_run(place: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run `tamis emotion train`"):
        evaluate(place / "run.toml", changes={"output": "nowhere"})


def test_probes_are_contestants(place: Path) -> None:
    config = load_config(place / "run.toml")
    packed = config.output / "frames"
    data = load(pack(config.data, packed))
    probed = probe_streams(FeatureSet(config.features))
    assert set(probed) == {"audio/0", "audio/1", "audio/2", "audio", "text", "everything"}
    others = {
        f"{kind}/{name}": probe(config, data, probed[name], packed)
        for name in ("audio/1", "everything")
        for kind, probe in (("ridge", ridge_probe), ("logistic", logistic_probe))
    }
    models = evaluate(place / "run.toml", others=others).models.set_index("model")
    assert set(others) <= set(models.index)
    assert (models["uar"][list(others)] > 0.5).all()


def test_ablation_table(place: Path) -> None:
    quick = {"natural": {"epochs": 1}, "balanced": {"epochs": 1}, "baseline_stream": None}
    table = ablate(
        place / "run.toml", names=("full", "late fusion", "no balanced stage"), seeds=(0,), changes=quick
    )
    assert table["ablation"].tolist() == ["full", "late fusion", "no balanced stage"]
    assert table["uar_gain"][0] == 0
    assert (place / "run" / "ablations.csv").exists()
    with pytest.raises(ValueError, match="unknown x; known: full"):
        ablate(place / "run.toml", names=("x",))

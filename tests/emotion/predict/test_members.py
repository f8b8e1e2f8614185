"""One prediction path: what training measured is, bit for bit, what the saved ensemble says of the same features."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tamis.emotion.data import FeatureSet, Predictions, StreamInfo, SynthRecipe, load, pack, write_synthetic
from tamis.emotion.predict import Ensemble, predict
from tamis.emotion.predict.ensemble import Features
from tamis.emotion.train import load_config, train
from tamis.tuning import threads_set

SETTINGS = """
features = "set"
output = "run"
splits = { folds = 2 }
architecture = { width = 16, heads = 2, hidden = 16 }
natural = { epochs = 2, learning_rate = 3e-3 }
balanced = { epochs = 1, learning_rate = 1e-3 }
meta = { runs = 2 }
[streams]
audio = { stream = "audio", pool = 2 }
statistics = { stream = "audio", layer = "joined", pool = "statistics" }
text = { stream = "text" }
[[members]]
name = "ridge"
streams = ["statistics"]
kind = "ridge"
[[members]]
name = "both"
streams = ["audio", "text"]
"""


def encoded_by(name: str) -> dict[str, object]:
    return {"reads": "audio", "open": {"encoder": name}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("members")
    streams = {
        "audio": StreamInfo(12, layers=3, extra=encoded_by("a")),
        "text": StreamInfo(8, extra=encoded_by("t")),
    }
    recipe = SynthRecipe(speakers=8, utterances=10, categories=("angry", "sad"), streams=streams, missing=0.2)
    write_synthetic(place / "set", recipe)
    (place / "run.toml").write_text(SETTINGS)
    train(place / "run.toml")
    return place


def clips_of(features: FeatureSet, rows: list[int]) -> Features:
    """Features of some rows, by the name that the configuration gives each view of a stream."""
    read = {stream: [features.read(row, stream) for row in rows] for stream in ("audio", "text")}
    return {"audio": read["audio"], "statistics": read["audio"], "text": read["text"]}


def test_serving_is_what_training_measured(place: Path) -> None:
    config = load_config(place / "run.toml")
    data = load(pack(config.data, config.output / "frames"))
    features, ensemble = FeatureSet(place / "set"), Ensemble(place / "run")
    clips = clips_of(features, list(map(int, data.test)))
    assert any(clip is None for clip in clips["text"] or ()), "some utterances lack the stream"
    packed = ensemble.pack([clips], len(data.test))
    with (
        torch.inference_mode(),
        threads_set(config.threads),
    ):  # torch's products have other bits with other threads
        p, attributes = predict(ensemble.members, packed, [np.arange(len(data.test))])
    for member, name in enumerate(("ridge", "both")):
        path = place / "run" / "members" / name / "all" / "balanced" / "predictions.parquet"
        measured = Predictions.read(path).of_split("test")
        assert list(measured.utterances) == list(data.utterances[data.test])
        np.testing.assert_array_equal(p[member].double().numpy(), measured.probabilities)
        np.testing.assert_array_equal(attributes[member].double().numpy(), measured.attributes)
    served, _ = ensemble.predict([clips])
    joined = Predictions.read(place / "run" / "ensemble" / "predictions.parquet").of_split("test")
    np.testing.assert_allclose(served, joined.probabilities, rtol=1e-6, atol=1e-7)


def test_variants_are_averaged(place: Path) -> None:
    ensemble = Ensemble(place / "run")
    features = FeatureSet(place / "set")
    one, other = (clips_of(features, [row]) for row in (0, 1))
    packed = ensemble.pack([one, other], 1)
    with torch.inference_mode():
        each, _ = predict(ensemble.members, packed, [np.arange(2)])
        mean, _ = predict(ensemble.members, packed, [np.array([0]), np.array([1])])
    geometric = each.prod(dim=1).sqrt()
    torch.testing.assert_close(mean[:, 0], geometric / geometric.sum(dim=1, keepdim=True))


def test_a_stream_that_is_not_used_is_missing(place: Path) -> None:
    ensemble, features = Ensemble(place / "run"), FeatureSet(place / "set")
    clips = clips_of(features, [0])
    only, _ = ensemble.predict([clips], only=frozenset({"audio", "statistics"}))
    missing, _ = ensemble.predict([{**clips, "text": None}])
    np.testing.assert_array_equal(only, missing)
    assert not np.array_equal(only, ensemble.predict([clips])[0])

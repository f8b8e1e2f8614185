"""The whole training on synthetic feature sets: what it writes, that out-of-fold means out-of-fold, that a kill does no harm."""

import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from tamis.emotion.data import Predictions, SynthRecipe, TrainingData, load, pack, write_synthetic
from tamis.emotion.network import new_member
from tamis.emotion.train import load_config, train
from tamis.emotion.train.members import measure_streams, member_recipe, predict_rows
from tamis.emotion.train.stages import training_stages
from tamis.training import fit, seeded

RECIPE = SynthRecipe(speakers=8, utterances=8, categories=("angry", "sad", "calm"), clarity=3.0)
SETTINGS = """
features = "set"
output = "run"
baseline_stream = "audio"
[splits]
folds = 2
[streams]
audio = { stream = "audio", pool = 2 }
text = { stream = "text" }
[architecture]
width = 16
heads = 2
hidden = 16
[optimisation]
batch_size = 8
[natural]
epochs = 2
learning_rate = 3e-3
weight_power = 0.5
[balanced]
epochs = 2
learning_rate = 1e-3
[meta]
runs = 2
natural = { epochs = 2, learning_rate = 1e-2 }
balanced = { epochs = 2, learning_rate = 1e-2 }
[[members]]
name = "audio"
streams = ["audio"]
[[members]]
name = "both"
streams = ["audio", "text"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_synthetic(tmp_path / "set", RECIPE)
    (tmp_path / "run.toml").write_text(SETTINGS)
    return tmp_path


def data_of(place: Path) -> TrainingData:
    config = load_config(place / "run.toml")
    return load(pack(config.data, config.output / "frames"))


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in ("resume.pt", ".lock") and not path.name.endswith(".part"):
            yield str(path.relative_to(folder)), path.read_bytes()


def test_outputs(place: Path) -> None:
    run = train(place / "run.toml")
    for member in ("audio", "both"):
        for model in ("fold0", "fold1", "all"):
            for stage in ("natural", "balanced"):
                folder = run / "members" / member / model / stage
                assert {p.name for p in folder.iterdir()} == {
                    "weights.safetensors",
                    "history.json",
                    "predictions.parquet",
                }
            assert not (folder.parent / "resume.pt").exists()
    assert (run / "baseline" / "natural" / "predictions.parquet").exists()
    ensemble = Predictions.read(run / "ensemble" / "predictions.parquet")
    assert set(ensemble.splits) == {"out_of_fold", "development", "test"}
    np.testing.assert_allclose(ensemble.probabilities.sum(axis=1), 1)
    assert ensemble.attributes.min() >= 1
    assert ensemble.attributes.max() <= 7
    data = data_of(place)
    assert set(ensemble.of_split("out_of_fold").utterances) == set(data.utterances[data.train])
    assert set(ensemble.of_split("test").utterances) == set(data.utterances[data.test])
    described = json.loads((run / "ensemble" / "recogniser.json").read_text())
    assert described["categories"] == ["angry", "sad", "calm"]
    assert all((run / m["weights"]).exists() for m in described["members"])
    assert json.loads((run / "config.json").read_text())["architecture"]["dropout"] == 0.2


def test_soup_is_the_mean_of_its_runs(place: Path) -> None:
    run = train(place / "run.toml", changes={"meta": {"join": "linear"}})
    runs = [
        load_file(run / "meta" / "all" / f"run{i}" / "balanced" / "weights.safetensors") for i in range(2)
    ]
    soup = load_file(run / "ensemble" / "weights.safetensors")
    assert not np.allclose(runs[0]["linear.weight"], runs[1]["linear.weight"])
    np.testing.assert_allclose(
        soup["linear.weight"], (runs[0]["linear.weight"] + runs[1]["linear.weight"]) / 2
    )


def test_out_of_fold_means_out_of_fold(place: Path) -> None:
    """Turning a speaker's votes upside down must not change what is predicted of that speaker, in any stage."""
    first = train(place / "run.toml")
    data = data_of(place)
    victim = data.speakers[data.train[0]]
    fold = int(data.folds[0])
    table = pd.read_parquet(place / "set" / "index.parquet")
    rows = table["speaker"] == victim
    table.loc[rows, ["votes/angry", "votes/sad"]] = table.loc[rows, ["votes/sad", "votes/angry"]].to_numpy()
    table.loc[rows, ["valence", "arousal"]] = 1.0
    table.to_parquet(place / "set" / "index.parquet", index=False)
    second = train(place / "run.toml", changes={"output": "again"})
    for stage in ("natural", "balanced"):
        before, after = (
            Predictions.read(run / "members" / "both" / f"fold{fold}" / stage / "predictions.parquet")
            for run in (first, second)
        )
        inside = np.isin(before.utterances, data.utterances[data.speakers == victim])
        assert inside.any()
        np.testing.assert_array_equal(before.probabilities, after.probabilities)
        other = f"members/both/fold{1 - fold}/{stage}/weights.safetensors"
        assert (first / other).read_bytes() != (second / other).read_bytes()
    joint = [
        load_file(r / f"meta/fold{fold}/run0/natural/weights.safetensors")["linear.weight"]
        for r in (first, second)
    ]
    assert not np.array_equal(*joint), "the other fold's inputs come from models that have heard the victim"


def test_held_out_fold_is_not_in_the_meta_data(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tamis.emotion.train import join

    learnt: dict[str, list[Any]] = {}
    true_train = join.train_meta

    def spy(config: Any, data: Any, development: Any, members: int, run: str, *rest: Any) -> Any:
        learnt.setdefault(run, []).append(data.inputs)
        return true_train(config, data, development, members, run, *rest)

    monkeypatch.setattr(join, "train_meta", spy)
    train(place / "run.toml")
    data = data_of(place)
    for fold in range(2):
        (inputs,) = learnt[f"fold{fold}/0"]
        assert len(inputs) == (data.folds != fold).sum()
        held = join.out_of_fold(
            load_config(place / "run.toml"), data, data.train[data.folds == fold], "audio"
        )
        seen = {tuple(np.round(row, 5)) for row in np.exp(inputs[:, :3].numpy())}
        assert not seen & {tuple(np.round(row, 5)) for row in held.probabilities}


def test_what_joins_the_members_is_told_and_can_be_asked_for(place: Path) -> None:
    said: list[str] = []
    run = train(place / "run.toml", progress=said.append)
    choice = json.loads((run / "ensemble" / "choice.json").read_text())
    assert [s["name"] for s in choice["standings"]] == [
        "vote",
        "weights, half of them the vote's",
        "weights",
        "linear",
    ]
    assert choice["speakers"] == 4
    (line,) = (line for line in said if "members are joined by" in line)
    assert f"joined by {choice['chosen']} (" in line
    vote = train(place / "run.toml", changes={"meta": {"join": "vote"}, "output": "vote"})
    weight = load_file(vote / "ensemble" / "weights.safetensors")["linear.weight"]
    assert torch.equal(weight[:3], torch.cat([torch.eye(6) / 2, torch.eye(6) / 2], dim=1)[:3])
    assert not (vote / "meta").exists()
    joined, members = (
        Predictions.read(path).of_split("test")
        for path in (vote / "ensemble" / "predictions.parquet", final_member(vote))
    )
    other = Predictions.read(
        vote / "members" / "audio" / "all" / "balanced" / "predictions.parquet"
    ).of_split("test")
    mean = np.log(members.probabilities) + np.log(other.probabilities)
    np.testing.assert_array_equal(joined.probabilities.argmax(axis=1), mean.argmax(axis=1))


def test_notes_are_told_once(place: Path) -> None:
    path = place / "set" / "index.parquet"
    pd.read_parquet(path).assign(speaker="", split="").to_parquet(path, index=False)
    said: list[str] = []
    train(
        place / "run.toml",
        changes={"natural": {"epochs": 1}, "balanced": {"epochs": 0}},
        progress=said.append,
    )
    notes = [line for line in said if line.startswith("note: ")]
    assert len(notes) == 2
    assert notes[0].startswith("note: rows are split by speaker: 13 of 64 speakers")
    assert notes[1].startswith("note: 51 of 51 training rows have no speaker")


def test_processes_do_not_change_the_numbers(place: Path) -> None:
    one = dict(contents(train(place / "run.toml")))
    two = dict(contents(train(place / "run.toml", changes={"output": "two", "processes": 2})))
    assert one.keys() == two.keys()
    for name in one.keys() - {"config.json"}:
        assert one[name] == two[name], name


def test_same_command_again_does_nothing(place: Path) -> None:
    run = train(place / "run.toml")
    times = {
        p: p.stat().st_mtime_ns
        for p in run.rglob("*")
        if p.is_file() and p.name not in (".lock", "config.json")
    }
    train(place / "run.toml")
    assert times == {p: p.stat().st_mtime_ns for p in times}


def test_other_settings_in_the_same_folder(place: Path) -> None:
    train(place / "run.toml")
    with pytest.raises(ValueError, match="other settings"):
        train(place / "run.toml", changes={"seed": 1})


def test_outer_folds(place: Path) -> None:
    run = train(place / "run.toml", changes={"splits": {"outer_folds": 2}, "natural": {"epochs": 1}})
    tested = [
        Predictions.read(run / f"outer{k}" / "ensemble" / "predictions.parquet").of_split("test").utterances
        for k in range(2)
    ]
    assert sorted(np.concatenate(tested)) == sorted(
        pd.read_parquet(place / "set" / "index.parquet")["utterance"]
    )


def test_variants_are_learnt_from_but_not_measured_on(place: Path) -> None:
    table = pd.read_parquet(place / "set" / "index.parquet")
    copies = table.assign(
        source=table["utterance"],
        utterance=table["utterance"] + "_v",
        variant="noise",
        speaker="",
        split="train",
    )
    train_speakers = set(table["speaker"][table["split"] == "train"])
    copies = copies[table["speaker"].isin(train_speakers)]
    pd.concat([table.assign(source="", variant=""), copies]).to_parquet(
        place / "set" / "index.parquet", index=False
    )
    run = train(place / "run.toml")
    data = data_of(place)
    assert len(data.train) == 2 * len(copies)
    outside, inside = data.fold(0)
    assert not {u.removesuffix("_v") for u in data.utterances[outside]} & set(data.utterances[inside])
    everything = Predictions.read(run / "ensemble" / "predictions.parquet")
    assert not [u for u in everything.utterances if u.endswith("_v")]


PROGRAM = "import sys; from tamis.emotion.train import train; train(sys.argv[1])"


@pytest.mark.slow
def test_killed_at_random_moments(place: Path) -> None:
    """kill -9 of the command (its workers end with it), again and again; the same command ends with the same files."""
    whole = dict(contents(train(place / "run.toml")))
    shutil.rmtree(place / "run")
    (place / "run.toml").write_text(SETTINGS.replace('output = "run"', 'output = "run"\nprocesses = 2'))
    moments, kills = random.Random(1), 0
    while True:
        child = subprocess.Popen([sys.executable, "-c", PROGRAM, str(place / "run.toml")])
        try:
            child.wait(moments.uniform(8, 14) if kills < 3 else None)
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            kills += 1
            continue
        assert child.returncode == 0
        break
    assert not list((place / "run").rglob(".*.part"))
    killed = dict(contents(place / "run"))
    assert killed.keys() == whole.keys()
    for name in whole.keys() - {"config.json"}:
        assert killed[name] == whole[name], name


def with_copies(place: Path, change: Any = lambda table: table) -> pd.DataFrame:
    """Add to every utterance of the set a variant "noise" with other frames: those of the next utterance."""
    table = pd.read_parquet(place / "set" / "index.parquet").assign(source="", variant="")
    copies = table.assign(source=table["utterance"], utterance=table["utterance"] + "@noise", variant="noise")
    for column in ("stream/audio", "frames/audio", "stream/text", "frames/text"):
        copies[column] = np.roll(table[column].to_numpy(), 1)
    both: pd.DataFrame = change(pd.concat([table, copies], ignore_index=True))
    both.to_parquet(place / "set" / "index.parquet", index=False)
    return both


def test_heard_variants_are_averaged(place: Path) -> None:
    with_copies(place)
    single = Predictions.read(final_member(train(place / "run.toml")))
    run = train(place / "run.toml", changes={"output": "averaged", "heard_variants": ["noise"]})
    averaged = Predictions.read(final_member(run))
    names = list(single.of_split("test").utterances)
    table = pd.read_parquet(place / "set" / "index.parquet")
    order = list(table["utterance"][table["variant"] == ""])
    row = next(n for n in names if order[order.index(n) - 1] in names)
    own, lent = (single.of_utterances([name]).probabilities for name in (row, order[order.index(row) - 1]))
    mean = np.sqrt(own * lent)
    np.testing.assert_allclose(averaged.of_utterances([row]).probabilities, mean / mean.sum(), rtol=1e-4)


def final_member(run: Path) -> Path:
    return run / "members" / "both" / "all" / "balanced" / "predictions.parquet"


def test_a_variant_that_is_not_there_is_named(place: Path) -> None:
    with_copies(place, lambda table: table.iloc[:-1])
    with pytest.raises(ValueError, match=r"heard_variants names 'noise', which .* lacks for"):
        train(place / "run.toml", changes={"heard_variants": ["noise"]})


def test_a_category_that_nobody_named(place: Path) -> None:
    """It stays possible, gets next to nothing, and stops no stage."""
    path = place / "set" / "index.parquet"
    table = pd.read_parquet(path)
    table.loc[table["votes/calm"] > 0, ["votes/angry", "votes/calm"]] = [1.0, 0.0]
    table.to_parquet(path, index=False)
    run = train(place / "run.toml")
    found = Predictions.read(run / "ensemble" / "predictions.parquet").of_split("test")
    assert np.isfinite(found.probabilities).all()
    assert found.probabilities[:, 2].max() < 0.4
    assert json.loads((run / "ensemble" / "recogniser.json").read_text())["prior"]["natural"][2] == 0


def test_a_tiny_set_is_overfitted(tmp_path: Path) -> None:
    """Labels that have nothing to do with the features are learnt by heart."""
    recipe = SynthRecipe(speakers=8, utterances=2, categories=("angry", "sad", "calm"), clarity=0.0)
    write_synthetic(tmp_path / "set", recipe)
    path = tmp_path / "set" / "index.parquet"
    table = pd.read_parquet(path).assign(split="train")
    votes = ["votes/angry", "votes/sad", "votes/calm", "votes/other"]
    table[votes] = np.eye(4)[np.arange(len(table)) % 3]
    table.to_parquet(path, index=False)
    (tmp_path / "run.toml").write_text(OVERFITTING)
    config = load_config(tmp_path / "run.toml")
    data = load(pack(config.data, tmp_path / "frames"))
    (member,) = config.members
    with seeded(0, "start"):
        model = new_member(member.kind, data.stream_shapes(member.streams), 3, config.architecture)
    measure_streams(model, data, data.train)
    right = torch.from_numpy(data.consensus[data.train])
    before, _ = predict_rows(model.eval(), data, data.train, member.streams)
    assert (before.argmax(dim=1) == right).double().mean() < 0.7
    stages = training_stages(member_recipe(config, data, member, data.train))
    fit(model, stages, folder=tmp_path / "fit", seed=0, fingerprint="")
    after, _ = predict_rows(model.eval(), data, data.train, member.streams)
    assert after[torch.arange(len(right)), right].min() > 0.9


OVERFITTING = """
features = "set"
output = "run"
[streams]
audio = { stream = "audio" }
text = { stream = "text" }
[architecture]
width = 32
hidden = 64
dropout = 0.0
input_dropout = 0.0
[optimisation]
batch_size = 8
weight_decay = 0.0
[loss]
attributes = 0.0
[regularisation]
mixup_probability = 0.0
modality_dropout = 0.0
[natural]
epochs = 40
learning_rate = 1e-2
[balanced]
epochs = 0
[[members]]
name = "deep"
streams = ["audio", "text"]
"""


def test_calibration_is_to_the_votes_and_not_to_smoothed_targets(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tamis.emotion.train import join

    fitted = []
    true_calibrate = join.calibrate

    def spy(model: Any, logits: Any, vote_shares: Any) -> None:
        fitted.append(vote_shares)
        true_calibrate(model, logits, vote_shares)

    monkeypatch.setattr(join, "calibrate", spy)
    train(place / "run.toml", changes={"targets": {"smoothing": 0.3}, "natural": {"epochs": 1}})
    (vote_shares,) = fitted
    assert vote_shares.min() == 0
    assert vote_shares.max() == 1


def test_data_travels_to_other_processes_as_its_place(place: Path) -> None:
    data = data_of(place)
    pickled = pickle.dumps(data)
    assert len(pickled) < 2000
    again = pickle.loads(pickled)
    np.testing.assert_array_equal(again.train, data.train)
    assert torch.equal(again.frames["audio"][0], data.frames["audio"][0])


def test_each_run_is_loaded_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tamis.emotion.train import run as module

    loaded = []
    monkeypatch.setattr(module, "load", lambda packed: loaded.append(packed) or load(packed))
    settings = {"splits": {"outer_folds": 2}, "natural": {"epochs": 1}, "balanced": {"epochs": 0}}
    train(place / "run.toml", changes=settings)
    assert [packed.settings.splits.outer_fold for packed in loaded] == [0, 1]

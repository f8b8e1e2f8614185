"""RAVDESS, all of it: 8 categories, 6 test folds by speaker, everything that is chosen is chosen on inner speaker folds.

``python -m tamis.bench.emotion.ravdess RAVDESS_FOLDER OUT`` takes the corpus from its folder to the rows of
``docs/results/ravdess.csv``: two acoustic streams that work offline, three augmented variants of every recording, the
``tuned`` ensemble, and linear probes of the same features. It goes on where it was stopped. Weights trained on RAVDESS
(CC BY-NC-SA 4.0) are for measuring only.
"""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch

import tamis
from tamis.emotion.corpora import read_corpus
from tamis.emotion.data import FeatureSet, Predictions, concatenated, load, pack
from tamis.emotion.evaluation import evaluate, logistic_probe, probe_streams, ridge_probe
from tamis.emotion.network import MetaClassifier, meta_predict
from tamis.emotion.predict import load_weights
from tamis.emotion.streams import OFFLINE_STREAMS, extract, open_stream, parse_stream
from tamis.emotion.train import (
    Config,
    final_predictions,
    inputs_of,
    load_config,
    load_preset,
    member_folder,
    runs_of,
    train,
)

FLOOR = "whisper/3"
SETTINGS = """
preset = "tuned"
features = "features"
output = "run"
processes = {processes}
baseline_stream = "whisper_frames"

[splits]
folds = 3
outer_folds = 6
"""

logger = logging.getLogger(__name__)


def prepare(ravdess: Path, out: Path) -> None:
    """Features of the corpus, once."""
    if (out / "features" / "set.json").exists():
        return
    corpus = read_corpus("ravdess", ravdess)
    streams = {
        s.name: open_stream(s.encoder, s.layers, s.pool, s.window_s)
        for s in map(parse_stream, OFFLINE_STREAMS)
    }
    done = extract(corpus, out / "features", streams, load_preset("tuned")["heard_variants"])
    logger.info("%s", done)


def probes(config: Config) -> dict[str, Predictions]:
    """Linear probes, trained on every outer fold's training speakers; test predictions of all folds together."""
    frames = config.output / "frames"
    parts: dict[str, list[Predictions]] = {}
    for run in runs_of(config):
        data = load(pack(run.data, frames))
        for name, streams in probe_streams(FeatureSet(config.features)).items():
            logger.info("probe %s of %s", name, run.output.name)
            parts.setdefault(f"ridge/{name}", []).append(ridge_probe(run, data, streams, frames))
            if name == FLOOR:
                parts.setdefault(f"logistic/{name}", []).append(logistic_probe(run, data, streams, frames))
    return {name: concatenated(p) for name, p in parts.items()}


def earlier_stages(config: Config) -> dict[str, Predictions]:
    """What each later stage is measured against: deep members after stage 1, and one meta-classifier instead of the soup.

    The latter only where evidence is for a linear layer in every outer fold; a vote has no soup.
    """
    parts: dict[str, list[Predictions]] = {}
    runs = runs_of(config)
    layers = all((run.output / "meta" / "all").is_dir() for run in runs)
    for run in runs:
        for member in run.members:
            if member.kind == "deep":
                path = member_folder(run, member.name, None) / "natural" / "predictions.parquet"
                found = Predictions.read(path).of_split("test")
                parts.setdefault(f"member/{member.name} after stage 1", []).append(found)
        if layers:
            parts.setdefault("one meta-classifier", []).append(first_meta_classifier(run))
    return {name: concatenated(p) for name, p in parts.items()}


def first_meta_classifier(run: Config) -> Predictions:
    members = [final_predictions(run, member.name).of_split("test") for member in run.members]
    rows = members[0]
    model = MetaClassifier(len(members), len(rows.categories))
    load_weights(model, run.output / "meta" / "all" / "run0" / "balanced" / "weights.safetensors")
    p, a = meta_predict(model, inputs_of(run, members))
    return Predictions(rows.utterances, rows.splits, rows.categories, p, a)


def measure(
    ravdess: Path, out: Path, processes: int = 2, progress: Callable[[str], None] | None = None
) -> pd.DataFrame:
    """Everything; returns one row per model and writes ``OUT/ravdess.csv``."""
    prepare(ravdess, out)
    settings = out / "ravdess.toml"
    settings.write_text(SETTINGS.format(processes=processes))
    train(settings, progress=progress)
    config = load_config(settings)
    result = evaluate(
        settings,
        slices=("gender", "intensity", "speaker"),
        others={**earlier_stages(config), **probes(config)},
    )
    rows = result.models.assign(
        corpus="RAVDESS (18 speakers, 1080 utterances)",
        protocol="6 outer folds by speaker",
        command="python -m tamis.bench.emotion.ravdess RAVDESS_FOLDER OUT",
        tamis=tamis.__version__,
        torch=torch.__version__,
    )
    rows.round(4).to_csv(out / "ravdess.csv", index=False)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("ravdess", type=Path, help="folder with Actor_01, Actor_02, …")
    parser.add_argument("out", type=Path, help="features, run and tables go here")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    measure(arguments.ravdess, arguments.out, arguments.processes, logger.info)


if __name__ == "__main__":
    main()

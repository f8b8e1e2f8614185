"""`tamis emotion ablate`: the same training with one ingredient changed, again and again, and what each one is worth."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

from tamis.emotion.data import FeatureSet, Predictions, macro_f1, uar
from tamis.emotion.evaluation.bootstrap import paired_interval, speaker_confusions
from tamis.emotion.evaluation.compare import trained_predictions, truth_of
from tamis.emotion.evaluation.metrics import score
from tamis.emotion.train import load_config, merged, train
from tamis.storage import written_beside

ABLATIONS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "full": {},
        "one-hot targets": {"targets": {"rule": "hard"}},
        "no ambiguous utterances": {"targets": {"no_agreement": "drop"}},
        "late fusion": {"architecture": {"fusion": "late"}},
        "no MixUp": {"regularisation": {"mixup_probability": 0.0}},
        "no balanced stage": {"balanced": {"epochs": 0}, "meta": {"balanced": {"epochs": 0}}},
        "no attributes": {"loss": {"attributes": 0.0}},
        "padding counts": {"architecture": {"masks": False}},
        "no positions": {"architecture": {"positions": False}},
        "one head": {"architecture": {"heads": 1}},
        "no modality dropout": {"regularisation": {"modality_dropout": 0.0}},
    }
)
"""Name -> settings that are changed."""


def ablate(
    config_path: str | Path,
    *,
    names: Sequence[str] = tuple(ABLATIONS),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    changes: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Train every ablation with every seed, below the output folder, and compare each with ``full``.

    Returns
    -------
    DataFrame
        One row per ablation: figures of the ensemble's test predictions, mean over seeds, and ``<figure>_gain`` over ``full`` with
        an interval: speakers are drawn, seeds are pooled. Also written to ``ablations.csv``.
    """
    if unknown := [name for name in names if name not in ABLATIONS]:
        raise ValueError(f"ablate: unknown {', '.join(unknown)}; known: {', '.join(ABLATIONS)}.")
    config = load_config(config_path, changes)
    features = FeatureSet(config.features)
    rows: list[dict[str, Any]] = []
    confusions: dict[str, np.ndarray] = {}
    for name in ("full", *(n for n in names if n != "full")):
        parts = [_trained(config_path, changes or {}, name, seed, progress) for seed in seeds]
        truths = [truth_of(features, list(p.utterances), config) for p in parts]
        figures = pd.DataFrame([score(p, t) for p, t in zip(parts, truths, strict=True)]).mean()
        confusions[name] = np.sum(
            [
                speaker_confusions(
                    t.consensus[t.consensus >= 0],
                    p.probabilities[t.consensus >= 0].argmax(axis=1),
                    t.speakers[t.consensus >= 0],
                    len(p.categories),
                )
                for p, t in zip(parts, truths, strict=True)
            ],
            axis=0,
        )
        row: dict[str, Any] = {"ablation": name, "seeds": len(seeds), **figures.to_dict()}
        for figure_name, figure in (("uar", uar), ("macro_f1", macro_f1)):
            gain = paired_interval(confusions[name], confusions["full"], figure)
            row |= {f"{figure_name}_gain": gain.value}
            row |= {f"{figure_name}_gain_low": gain.low, f"{figure_name}_gain_high": gain.high}
        rows.append(row)
    table = pd.DataFrame(rows)
    with written_beside(config.output / "ablations.csv") as part:
        table.to_csv(part, index=False)
    return table


def _trained(
    config_path: str | Path,
    changes: Mapping[str, Any],
    name: str,
    seed: int,
    progress: Callable[[str], None] | None,
) -> Predictions:
    config = load_config(config_path, changes)
    output = config.output.absolute() / "ablations" / name.replace(" ", "-") / f"seed{seed}"
    settings = merged(changes, merged(ABLATIONS[name], {"seed": seed, "output": str(output)}))
    train(config_path, changes=settings, progress=progress)
    return trained_predictions(load_config(config_path, settings), "test")["ensemble"]

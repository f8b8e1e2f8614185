"""The tables of ``evaluate`` and ``ablate`` fit a terminal of 80 columns, with every number on one line."""

import io

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torchmetrics")

from rich.console import Console

from tamis.cli.emotion_tables import ablations_table, evaluation_tables, short
from tamis.emotion.corpora import CATEGORIES
from tamis.emotion.data import Predictions
from tamis.emotion.evaluation import Evaluation
from tamis.emotion.evaluation.compare import compared
from tamis.emotion.evaluation.metrics import Truth, per_category, per_slice


def printed(*tables) -> list[str]:
    out = io.StringIO()
    for table in tables:
        Console(file=out, width=80).print(table)
    return out.getvalue().splitlines()


@pytest.fixture
def found() -> Evaluation:
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 8
    truth = Truth(
        labels,
        np.eye(8)[labels],
        rng.uniform(1, 7, (160, 3)),
        np.array([f"actor_{i % 10:02d}" for i in range(160)], dtype=object),
    )
    names = np.array([f"u{i}" for i in range(160)], dtype=object)

    def answers(noise: float) -> Predictions:
        p = np.eye(8)[labels] + noise * rng.random((160, 8))
        return Predictions(
            names,
            np.full(160, "test", dtype=object),
            CATEGORIES,
            p / p.sum(axis=1, keepdims=True),
            rng.uniform(1, 7, (160, 3)),
        )

    contestants = {
        "ensemble": answers(1.2),
        "member/ridge-low-level": answers(1.5),
        "member/whisper-statistics": answers(1.5),
    }
    slices = {"gender": np.array(["female", "male"] * 80, dtype=object)}
    return Evaluation(
        compared(contestants, truth, 0),
        per_category(contestants["ensemble"], truth),
        per_slice(contestants["ensemble"], truth, slices),
    )


def test_evaluation_fits(found: Evaluation) -> None:
    lines = printed(*evaluation_tables(found))
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    row = found.models.set_index("model").loc["member/whisper-statistics"]
    interval = f"{short(row['uar'])} [{short(row['uar_low'])}, {short(row['uar_high'])}]"
    assert any("member/whisper-statistics" in line and interval in line for line in lines)
    gain = f"{short(row['uar_gain'], '+')} [{short(row['uar_gain_low'], '+')}, {short(row['uar_gain_high'], '+')}]"
    assert any(
        line.strip().startswith("member/whisper-statistics") and line.rstrip().endswith(gain)
        for line in lines
    )
    (contempt,) = (line for line in lines if line.strip().startswith("contempt") and len(line.split()) == 9)
    assert sum(map(int, contempt.split()[1:])) == 20
    assert any("CCC valence" in line and "dominance" in line for line in lines)


def test_ablations_fit() -> None:
    row = {
        "ablation": "no ambiguous utterances",
        "seeds": 5,
        "uar": 0.7,
        "macro_f1": 0.69,
        "uar_gain": -0.0123,
        "uar_gain_low": -0.03,
        "uar_gain_high": 0.01,
    }
    lines = printed(ablations_table(pd.DataFrame([row])))
    assert max(map(len, lines)) <= 80
    assert lines[-2].split() == [
        "no",
        "ambiguous",
        "utterances",
        "5",
        ".700",
        "-.012",
        "[-.030,",
        "+.010]",
        ".690",
    ]


@pytest.mark.parametrize(
    ("value", "sign", "text"),
    [
        (0.5, "", ".500"),
        (1.0, "", "1.000"),
        (-0.25, "+", "-.250"),
        (0.0, "+", "+.000"),
        (float("nan"), "", ""),
        ("x", "", "x"),
    ],
)
def test_short(value, sign, text) -> None:
    assert short(value, sign) == text

"""The small campaign: a few kills per verb; ``make kills`` runs the large one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaign.kills import compared


def test_what_counts_as_a_difference() -> None:
    whole = {"a": b"1", "b": b"2", "c": b"3"}
    assert compared(whole, dict(whole)) == []
    assert compared(whole, {"a": b"1", "b": b"x", "d": b"4"}) == [
        "c is missing",
        "d is left over",
        "b differs",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "needs"),
    [
        ("prune", "transformers"),
        ("features", "soundfile"),
        ("train", "lightning_fabric"),
        ("segment", "plyfile"),
    ],
)
def test_killed_runs_end_as_undisturbed_ones(verb: str, needs: str) -> None:
    """In a process of its own: children are forked from one that has computed nothing."""
    for package in (needs, "transformers", "soundfile", "matplotlib"):
        pytest.importorskip(package)
    command = [
        sys.executable,
        "-m",
        "tests.campaign.kills",
        "--verbs",
        verb,
        "--kills",
        "3",
        "--minutes",
        "4",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{verb}: 0 kills" not in done.stdout.splitlines()[-2]

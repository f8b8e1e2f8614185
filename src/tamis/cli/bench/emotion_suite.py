"""``tamis bench emotion``: what a prediction costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def emotion(
    recogniser: Annotated[Path, typer.Argument(help="Folder that training, or export, wrote.")],
    recording: Annotated[Path, typer.Argument(help="What it listens to.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the CSV.")] = Path("tamis-bench"),
) -> None:
    """A trained recogniser: loading, first and later predictions with and without transcript, memory."""
    from tamis.bench.emotion import measure

    rows = measure(recogniser, recording)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "emotion_predict.csv"
    rows.to_csv(path, index=False)
    console = Console()
    console.print(rows[["what", "seconds", "times_real_time"]].to_string(index=False), highlight=False)
    console.print(str(path), soft_wrap=True, highlight=False)

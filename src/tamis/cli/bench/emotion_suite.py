"""``tamis bench emotion``: what a prediction costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tamis.storage import write_text


def emotion(
    recogniser: Annotated[Path, typer.Argument(help="Folder that training, or export, wrote.")],
    recording: Annotated[Path, typer.Argument(help="What it listens to.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the CSV.")] = Path("tamis-bench"),
) -> None:
    """A trained recogniser: loading, first and later predictions with and without transcript, memory."""
    from tamis.bench.emotion import measure

    rows = measure(recogniser, recording)
    path = out / "emotion_predict.csv"
    write_text(path, rows.to_csv(index=False))
    console = Console()
    console.print(rows[["what", "seconds", "times_real_time"]].to_string(index=False), highlight=False)
    console.print(str(path), soft_wrap=True, highlight=False)

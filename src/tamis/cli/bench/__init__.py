"""``tamis bench SUITE``: measure, leave rows and a page, go on where a killed run stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tamis.cli.bench.emotion_suite import emotion
from tamis.cli.bench.spmm_suite import spmm
from tamis.cli.bench.voxel_suite import voxel

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
app.command()(spmm)
app.command()(voxel)
app.command()(emotion)


@app.callback()
def bench() -> None:
    """Measure against dense PyTorch and every installable peer: rows in a CSV, one page, one plot."""


@app.command("all")
def all_suites(
    quick: Annotated[bool, typer.Option("--quick", help="A few minutes.")] = False,
    full: Annotated[bool, typer.Option("--full", help="About an hour and a half.")] = False,
    recogniser: Annotated[
        Path | None, typer.Option(help="Folder of a trained recogniser, for the emotion suite.")
    ] = None,
    recording: Annotated[Path | None, typer.Option(help="What it listens to.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for CSVs, pages and plots.")] = Path(
        "tamis-bench"
    ),
) -> None:
    """Every suite, one after the other; the emotion suite where a recogniser and a recording are given."""
    if (recogniser is None) != (recording is None):
        raise typer.BadParameter("--recogniser and --recording belong together.")
    spmm(quick=quick, full=full, out=out)
    voxel(quick=quick, full=full, out=out)
    if recogniser is not None and recording is not None:
        emotion(recogniser, recording, out=out)

"""``tamis bench spmm``: products, ours and the peers'."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def spmm(
    quick: Annotated[bool, typer.Option("--quick", help="A minute or two.")] = False,
    full: Annotated[bool, typer.Option("--full", help="About an hour; see --max-seconds.")] = False,
    int8: Annotated[
        bool, typer.Option("--int8", help="Products in 8 bits, ours and dense ones, instead of the grid.")
    ] = False,
    smtx: Annotated[
        list[Path] | None,
        typer.Option(help="A folder or file of .smtx patterns to measure instead of the grid."),
    ] = None,
    n: Annotated[
        list[int] | None, typer.Option("-n", help="Columns of B for --smtx; may be given often.", min=1)
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the CSV, the page and the plot.")
    ] = Path("tamis-bench"),
    max_seconds: Annotated[
        float | None, typer.Option(help="Start no cell after this; the same command goes on.", min=0)
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew instead of going on.")] = False,
    device: Annotated[Literal["cpu"], typer.Option(help="Where to run.")] = "cpu",
) -> None:
    """Sparse × dense products: ours, dense PyTorch in both layouts, torch CSR and BSR, scipy, MKL, a numba loop."""
    from tamis.bench import spmm as suite

    if quick + full + int8 > 1:
        raise typer.BadParameter("choose one of --quick, --full and --int8.")
    options = suite.Options(
        grid="quick" if quick else "full" if full else "int8" if int8 else "default",
        out=out,
        smtx=tuple(smtx or ()),
        lengths=tuple(n or (128,)),
        max_seconds=max_seconds,
        fresh=fresh,
    )
    console = Console()
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("looking at the machine", total=None)
        outcome = suite.run(
            options,
            progress=lambda p: bar.update(task, completed=p.done, total=p.total, description=p.current),
        )
    if not outcome.rows:
        console.print("no cell was measured: give it more time (--max-seconds)")
        raise typer.Exit(1)
    page = suite.write(outcome.rows, outcome.csv_path, options.command)
    console.print(suite.verdict_of(outcome.rows))
    if outcome.missing:
        console.print(f"[yellow]{outcome.missing} cells are missing; the same command goes on.[/]")
    for path in (outcome.csv_path, page):
        console.print(str(path), soft_wrap=True, highlight=False)

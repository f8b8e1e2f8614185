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
    training: Annotated[
        bool,
        typer.Option(
            "--training", help="Training steps of linear layers instead of the grid; half a minute."
        ),
    ] = False,
    device: Annotated[Literal["cpu"], typer.Option(help="Where to run.")] = "cpu",
) -> None:
    """Sparse × dense products: ours, dense PyTorch in both layouts, torch CSR and BSR, scipy, MKL, a numba loop."""
    from tamis.bench import spmm as suite

    if quick + full + int8 + training > 1:
        raise typer.BadParameter("choose one of --quick, --full, --int8 and --training.")
    if training:
        return _training(out)
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


def _training(out: Path) -> None:
    from rich.table import Table

    from tamis.bench.spmm import training

    console = Console()
    with console.status("looking at the machine") as status:
        rows, path = training.run(out, status.update)
    table = Table(
        "layer",
        "zeros",
        "tokens",
        "dense step",
        "sparse step",
        "times as fast",
        "SDDMM, of FMA peak",
        box=None,
    )
    for dense, step, sddmm in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        share = (sddmm.gflops or 0) / (sddmm.peak_gflops or float("nan"))
        table.add_row(
            f"{step.m} x {step.k}", f"{step.sparsity:.0%}", str(step.n), f"{(dense.median_us or 0) / 1e3:.2f} ms",
            f"{(step.median_us or 0) / 1e3:.2f} ms", f"{step.speedup:.2f}", f"{share:.0%}",
        )  # fmt: skip
    console.print(table)
    console.print(str(path), soft_wrap=True, highlight=False)

"""``tamis bench voxel``: kernel maps, layers, networks, streaming."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from tamis.storage import write_text

_Only = Annotated[
    list[str] | None,
    typer.Option(help="maps, scaling, layers, networks, memory or streaming; may be given often."),
]


def voxel(
    quick: Annotated[bool, typer.Option("--quick", help="A minute or two.")] = False,
    full: Annotated[bool, typer.Option("--full", help="More scenes and sizes: about half an hour.")] = False,
    only: _Only = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the CSV, the page and the plot.")
    ] = Path("tamis-bench"),
) -> None:
    """Sparse convolution: ours, torch gather-mm, binary search, a hash table, spconv's CPU wheel."""
    from tamis.bench import voxel as suite

    if quick and full:
        raise typer.BadParameter("choose one of --quick and --full.")
    wanted = tuple(section for section in suite.SECTIONS if section in (only or suite.SECTIONS))
    if only and len(wanted) != len(set(only)):
        raise typer.BadParameter(f"--only takes {', '.join(suite.SECTIONS)}.")
    options = suite.Options("quick" if quick else "full" if full else "default", wanted, out)
    console = Console()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("looking at the machine", total=None)
        outcome = suite.run(
            options,
            progress=lambda done, total, name: bar.update(
                task, completed=done, total=total, description=name
            ),
        )
    page, plot = (outcome.csv_path.with_suffix(ending) for ending in (".md", ".png"))
    write_text(page, suite.markdown(outcome.rows, " ".join(["tamis", *sys.argv[1:]])))
    written = [outcome.csv_path, page]
    if "layers" in wanted:
        suite.save_plot(outcome.rows, plot)
        written.append(plot)
    console.print(suite.verdict(outcome.rows))
    for path in written:
        console.print(str(path), soft_wrap=True, highlight=False)

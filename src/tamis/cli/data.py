"""``tamis data make NAME -o DIR``: the matrices that benchmarks run on, as .smtx files with a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def data() -> None:
    """Make the matrices that the benchmarks run on."""


@app.command()
def make(
    name: Annotated[
        Literal["dlmc", "minilm"],
        typer.Argument(help="dlmc: generated, like pruned transformers; minilm: layers of a real model."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    sparsity: Annotated[
        list[float] | None,
        typer.Option(help="Share of zeros; may be given often. Default: seven from 0.5 to 0.98."),
    ] = None,
    pattern: Annotated[
        list[str] | None, typer.Option(help="unstructured, 4x1, 2:4 ...; may be given often.")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Of generated matrices; may be given often.")] = None,
) -> None:
    """Write a folder of .smtx patterns laid out as PATTERN/FAMILY/SPARSITY, and manifest.csv."""
    from tamis.pretrained import load_minilm
    from tamis.workloads import PATTERNS, SPARSITIES, make_dlmc, make_layers

    if output.is_file():
        raise ValueError(f"tamis data make: -o {output} is a file; expected a folder to write.")
    if name == "minilm" and seed:
        raise ValueError("tamis data make minilm: its weights are real ones; --seed is for dlmc.")
    sparsities, patterns = tuple(sparsity or SPARSITIES), tuple(pattern or PATTERNS)
    console = Console()
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task(name, total=None)

        def tell(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        if name == "dlmc":
            seeds = tuple(seed or (0,))
            manifest = make_dlmc(output, sparsities=sparsities, patterns=patterns, seeds=seeds, progress=tell)
        else:
            model = load_minilm().model
            manifest = make_layers(
                output, model, "minilm", sparsities=sparsities, patterns=patterns, progress=tell
            )
    console.print(f"wrote {manifest}", soft_wrap=True, highlight=False, markup=False)

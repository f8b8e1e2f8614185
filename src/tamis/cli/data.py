"""``tamis data make NAME -o DIR``: the matrices that benchmarks run on, as .smtx files with a manifest."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
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
    from tamis.workloads.dlmc import PATTERNS, SPARSITIES
    from tamis.workloads.folders import make_dlmc

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
            manifest = _make_minilm(output, sparsities, patterns, tell)
    console.print(f"wrote {manifest}", soft_wrap=True, highlight=False, markup=False)


def _make_minilm(
    folder: Path,
    sparsities: Sequence[float],
    patterns: Sequence[str],
    progress: Callable[[int, int, str], None],
) -> Path:
    """Write one layer of MiniLM-L6 per role, cut by magnitude, laid out and listed as ``make_dlmc`` does."""
    from tamis.formats import CSR
    from tamis.formats.smtx import write_smtx
    from tamis.pretrained import load_minilm
    from tamis.workloads.dlmc import cut
    from tamis.workloads.layers import divides, one_weight_per_role
    from tamis.workloads.manifest import Manifest, describe

    cells = [
        (layer, weight, pattern, target)
        for layer, weight in one_weight_per_role(load_minilm().model)
        for pattern in patterns
        if divides(weight, pattern)
        for target in _targets(pattern, sparsities)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    manifest, beside = folder / "manifest.csv", folder / "manifest.csv.part"
    with beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["path", "pattern", "family", "target", "layer", *(field.name for field in fields(Manifest))]
        )
        for done, (layer, weight, pattern, target) in enumerate(cells, start=1):
            path = folder / pattern.replace(":", "of") / "minilm" / f"{target:g}" / f"{layer}.smtx"
            sparse = cut(weight, target, pattern)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_smtx(CSR.from_dense(sparse), path)
            facts = (f"{v:.6g}" if isinstance(v, float) else v for v in asdict(describe(sparse)).values())
            where = path.relative_to(folder).as_posix()
            writer.writerow([where, pattern, "minilm", f"{target:g}", layer, *facts])
            progress(done, len(cells), where)
    return beside.replace(manifest)


def _targets(pattern: str, sparsities: Sequence[float]) -> Sequence[float]:
    """N:M patterns have one sparsity, their own."""
    if ":" not in pattern:
        return sparsities
    n, m = map(int, pattern.split(":"))
    return (1 - n / m,)
